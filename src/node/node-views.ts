/**
 * What a node shows to those who run it: the cluster as it sees it, what waits for whom, and its metrics. Gathers from
 * the node's parts what `views.ts` and `metrics.ts` put into the interface's words; changes nothing.
 */

import { type PlanOutcome, type ProposedChange, planChange } from "../core/ring/plan.ts";
import type { Peers } from "../rpc/peers.ts";
import type { Server } from "../rpc/server.ts";
import type { StorageEngine } from "../storage/engine.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import type { Admission } from "./admission.ts";
import type { AntiEntropy } from "./anti-entropy.ts";
import type { ClusterView, HintsView, LocateView, MetricSample, RingView, TransfersView } from "./api.ts";
import type { Coordinator } from "./coordinator.ts";
import type { NodeCounters } from "./counters.ts";
import type { DamagedRecords } from "./damaged-records.ts";
import type { FailureDetector } from "./failure-detector.ts";
import type { Hints } from "./hints.ts";
import type { Membership } from "./membership.ts";
import { metricSamples } from "./metrics.ts";
import type { PendingSeats } from "./pending-seats.ts";
import type { Reaper } from "./reaper.ts";
import { SeatShares } from "./seat-shares.ts";
import type { Seats } from "./seats.ts";
import { noTransfersView, type Transfer } from "./transfer.ts";
import type { Trees } from "./trees.ts";
import { clusterView, emptyClusterView, hintsView, locateView, ringView, type Seen } from "./views.ts";

/** The parts of a node that have something to show. */
export interface NodeParts {
  readonly name: string;
  readonly software: string;
  readonly engine: StorageEngine;
  readonly buffer: WriteBuffer;
  readonly counters: NodeCounters;
  readonly membership: Membership;
  readonly peers: Peers;
  readonly server: Server;
  readonly detector: FailureDetector;
  readonly seats: Seats;
  readonly transfer: Transfer;
  readonly pending: PendingSeats;
  readonly admission: Admission;
  readonly coordinator: Coordinator;
  readonly trees: Trees;
  readonly damaged: DamagedRecords;
  readonly antiEntropy: AntiEntropy;
  readonly reaper: Reaper;
  readonly hints: Hints;
}

export class NodeViews {
  readonly #parts: NodeParts;
  readonly #shares: SeatShares;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    this.#shares = new SeatShares(parts.seats);
  }

  cluster(): ClusterView {
    const { membership, name, software } = this.#parts;
    return membership.isMember ? clusterView(this.#seen()) : emptyClusterView(name, software);
  }

  ring(): RingView {
    return this.#parts.membership.isMember ? ringView(this.#seen()) : { partitions: [] };
  }

  locate(bucket: string, key: string): LocateView {
    return locateView(this.#seen(), bucket, key);
  }

  plan(change: ProposedChange): PlanOutcome {
    const { membership, name } = this.#parts;
    if (!membership.isMember) return { kind: "void", why: `${name} is no member of a cluster yet` };
    return planChange(membership.ring, change);
  }

  hints(): HintsView {
    const { membership, hints } = this.#parts;
    return membership.isMember ? hintsView(this.#seen(), hints) : { areCounted: false, waiting: [] };
  }

  transfers(): TransfersView {
    const { membership, transfer } = this.#parts;
    return membership.isMember ? transfer.transfers() : noTransfersView;
  }

  metrics(): readonly MetricSample[] {
    const { membership, detector, seats, peers, server, coordinator, trees, antiEntropy, ...others } = this.#parts;
    const { reaper, hints, damaged, transfer: _, pending: __, ...rest } = others;
    const members = membership.isMember ? [...membership.ring.members.keys()] : [];
    return metricSamples({
      ...rest,
      outgoing: peers.counters,
      incoming: server.counters,
      coordinations: coordinator.underWay,
      pendingCalls: peers.pendingCalls,
      members: members.length,
      membersUp: members.filter((node) => detector.isUp(node)).length,
      ...seats.count,
      ringVersion: membership.ringVersion,
      exchanges: antiEntropy.counts,
      reaper: reaper.view,
      treeBytes: trees.bytes,
      areTreesBuilt: members.length > 0 && trees.areBuilt,
      damaged: damaged.counts,
      hints: hints.waiting(),
    });
  }

  #seen(): Seen {
    const { membership, name, software, detector, hints, seats, pending } = this.#parts;
    return {
      seats,
      shares: this.#shares.of(membership.ring),
      pendingTransfers: pending.count,
      ring: membership.ring,
      name,
      software,
      recordOf: (node) => membership.records.get(node),
      isUp: (node) => detector.isUp(node),
      hintsHeld: hints.count,
    };
  }
}
