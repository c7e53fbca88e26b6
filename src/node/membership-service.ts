/** Answers what other nodes and would-be members ask about the cluster itself, none of it on a hot path. */

import type { Requester } from "../rpc/server.ts";
import type { TaskGroup } from "../runtime/task-group.ts";
import type { ClientRequest } from "../wire/client-message.ts";
import type { Answer, Request } from "../wire/message.ts";
import type { ExchangeRequest } from "./exchange-service.ts";
import type { ForgettingRequest } from "./forgetting.ts";
import type { Gossip } from "./gossip.ts";
import type { Sponsor } from "./joining.ts";
import { refuse } from "./member-calls.ts";
import type { Membership } from "./membership.ts";
import { departedAs } from "./peer-admission.ts";
import type { DataRequest } from "./peer-service.ts";
import type { SeatRequest } from "./seat-service.ts";

export type ClusterRequest = Exclude<
  Request,
  ClientRequest | DataRequest | ExchangeRequest | ForgettingRequest | SeatRequest
>;

export interface MembershipServiceOptions {
  readonly membership: Membership;
  readonly gossip: Gossip;
  readonly sponsor: Sponsor;
  readonly tasks: TaskGroup;
}

export class MembershipService {
  readonly #options: MembershipServiceOptions;

  constructor(options: MembershipServiceOptions) {
    this.#options = options;
  }

  serve(request: ClusterRequest, from: Requester): void {
    this.#options.tasks.run(`answering ${request.kind}`, async () => {
      let answer: Answer;
      try {
        answer = await this.#answer(request);
      } catch (error) {
        const { ringVersion } = this.#options.membership;
        answer = refuse(request.id, ringVersion, "storage-failed", `${request.kind} failed: ${String(error)}`);
      }
      from.reply(answer, request.id);
    });
  }

  /**
   * What one that goes is told, it may never tell: who told it would take it to be known (`farewell.ts`). But it asks, where
   * it knows something else, and takes in what it is told: the asker may be the only one that is there still, and have
   * come since.
   */
  async #answerDeparted(request: ClusterRequest, departed: "left" | "removed"): Promise<Answer> {
    const { membership, gossip } = this.#options;
    if (request.kind === "ping") return { kind: "done", id: request.id };
    if (request.kind === "gossip") {
      const asks = gossip.handleGossip(request);
      if (asks.kind === "gossip-digest" && asks.news.recent !== undefined) return asks;
    }
    if (request.kind === "gossip-delta") await gossip.handleDelta(request);
    return refuse(request.id, membership.ringVersion, "not-ready", departedAs(departed, membership.name));
  }

  #answer(request: ClusterRequest): Answer | Promise<Answer> {
    const { membership, gossip, sponsor } = this.#options;
    if (!membership.isMember && request.kind !== "ping") {
      return refuse(request.id, 0, "not-ready", `${membership.name} is no member of a cluster yet`);
    }
    if (membership.departed !== undefined) return this.#answerDeparted(request, membership.departed);
    switch (request.kind) {
      case "ping":
        return { kind: "done", id: request.id };
      case "gossip":
        return gossip.handleGossip(request);
      case "gossip-delta":
        return gossip.handleDelta(request);
      case "join-request":
        return sponsor.handle(request);
    }
  }
}
