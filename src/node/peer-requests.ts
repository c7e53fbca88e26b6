/**
 * Which part of a node answers which request of a peer or a native client; copies are for members that are who they were
 * when they joined.
 */

import type { Requester } from "../rpc/server.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Request } from "../wire/message.ts";
import type { AntiEntropy } from "./anti-entropy.ts";
import type { ClientService } from "./client-service.ts";
import { refusal } from "./coordination.ts";
import type { Membership } from "./membership.ts";
import type { MembershipService } from "./membership-service.ts";
import { reasonToRefuse } from "./peer-admission.ts";
import type { PeerService } from "./peer-service.ts";
import type { Reaper } from "./reaper.ts";
import type { SeatService } from "./seat-service.ts";

export interface PeerRequestParts {
  readonly clock: Clock;
  readonly membership: Membership;
  readonly isServing: () => boolean;
  readonly clients: ClientService;
  readonly data: PeerService;
  readonly exchanges: AntiEntropy;
  readonly reaper: Reaper;
  readonly seats: SeatService;
  readonly cluster: MembershipService;
}

export class PeerRequests {
  readonly #parts: PeerRequestParts;
  #askedMs = 0;

  constructor(parts: PeerRequestParts) {
    this.#parts = parts;
  }

  /** When somebody was last admitted who asked for what makes a seat pass on. */
  get askedMs(): number {
    return this.#askedMs;
  }

  serve(request: Request, from: Requester): void {
    const { clients, data, exchanges, reaper, seats, cluster } = this.#parts;
    switch (request.kind) {
      case "client-get":
      case "client-write":
      case "ring-inquiry":
        return clients.serve(request, from);
      case "replica-get":
      case "replica-put":
      case "coordinate-get":
      case "coordinate-write":
        if (this.#admits(request, from)) data.serve(request, from);
        return;
      case "compare-trees":
      case "compare-nodes":
      case "list-keys":
      case "copy-states":
      case "when-stored":
        if (this.#admits(request, from, true)) exchanges.serve(request, from);
        return;
      case "ask-forgetting":
      case "forget":
        if (this.#admits(request, from)) reaper.serve(request, from);
        return;
      case "fill-seat":
        if (this.#admits(request, from)) seats.serve(request, from);
        return;
      case "take-seat":
      case "seat-sealed":
      case "fence-seat":
      case "rebuild-inquiry":
      case "compare-seats":
      case "seats-told":
        if (this.#admits(request, from, true)) seats.serve(request, from);
        return;
      default:
        cluster.serve(request, from);
    }
  }

  #admits(request: Request, from: Requester, isSeats = false): boolean {
    const { membership, isServing, clock } = this.#parts;
    const why = reasonToRefuse(membership, isServing(), from.hello, isSeats);
    if (why !== undefined) from.reply(refusal(membership.ringVersion, why.code, why.detail), request.id);
    else if (isSeats) this.#askedMs = clock.monotonicMs();
    return why === undefined;
  }
}
