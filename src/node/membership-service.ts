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

  #answer(request: ClusterRequest): Answer | Promise<Answer> {
    const { membership, gossip, sponsor } = this.#options;
    if (!membership.isMember && request.kind !== "ping") {
      return refuse(request.id, 0, "not-ready", `${membership.name} is no member of a cluster yet`);
    }
    // What one that goes is told, it may never tell: who told it would take it to be known (`departure.ts`).
    if (membership.departed !== undefined && request.kind !== "ping") {
      const { departed, name, ringVersion } = membership;
      return refuse(request.id, ringVersion, "not-ready", departedAs(departed, name));
    }
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
