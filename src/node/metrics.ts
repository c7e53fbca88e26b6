/** What a node has counted, and the levels it stands at, as samples for whoever asks: the names are the project's interface. */

import type { RpcCounters } from "../rpc/counters.ts";
import type { StorageEngine } from "../storage/engine.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import type { Admission, Served } from "./admission.ts";
import type { AntiEntropyCounts } from "./anti-entropy.ts";
import type { MetricSample } from "./api.ts";
import type { NodeCounters } from "./counters.ts";
import type { DamagedRecords } from "./damaged-records.ts";
import type { HintsForOwner } from "./hint-index.ts";
import type { ReaperView } from "./reaper.ts";

export interface Measured {
  readonly counters: NodeCounters;
  readonly buffer: WriteBuffer;
  readonly engine: StorageEngine;
  readonly outgoing: RpcCounters;
  readonly incoming: RpcCounters;
  readonly coordinations: number;
  readonly admission: Admission;
  readonly pendingCalls: number;
  readonly members: number;
  readonly membersUp: number;
  readonly voices: number;
  readonly seats: number;
  readonly ringVersion: number;
  readonly exchanges: AntiEntropyCounts;
  readonly reaper: ReaperView;
  readonly damaged: DamagedRecords["counts"];
  readonly treeBytes: number;
  readonly areTreesBuilt: boolean;
  readonly hints: readonly HintsForOwner[];
}

type Row = readonly [
  name: string,
  kind: MetricSample["kind"],
  help: string,
  value: number,
  labels?: MetricSample["labels"],
];

export function metricSamples(measured: Measured): readonly MetricSample[] {
  return rows(measured).map(([name, kind, help, value, labels = {}]) => ({
    name: `cartwheel_${name}`,
    kind,
    help,
    value,
    labels,
  }));
}

function rows(measured: Measured): readonly Row[] {
  const { counters: c, buffer, engine } = measured;
  const { suspicions } = measured.outgoing;
  const usage = engine.usage();
  const commits = buffer.counts;
  const requests = "Requests of clients this node took, by operation.";
  const failed = "Of those, requests that failed after they were understood.";
  const replicas = "Requests of coordinators to this node's own copies.";
  return [
    ["requests_total", "counter", requests, c.gets, { operation: "get" }],
    ["requests_total", "counter", requests, c.puts, { operation: "put" }],
    ["requests_total", "counter", requests, c.deletes, { operation: "delete" }],
    ["requests_failed_total", "counter", failed, c.failedGets, { operation: "get" }],
    ["requests_failed_total", "counter", failed, c.failedWrites, { operation: "write" }],
    ["forwarded_total", "counter", "Requests passed on to an owner.", c.forwarded],
    ["replica_requests_total", "counter", replicas, c.replicaGets, { operation: "get" }],
    ["replica_requests_total", "counter", replicas, c.replicaPuts, { operation: "put" }],
    ["read_repairs_total", "counter", "Stale copies that a read found and sent the merged state.", c.readRepairs],
    [
      "pruned_context_entries_total",
      "counter",
      "Context entries dropped by the bound of last resort.",
      c.prunedContextEntries,
    ],
    ["corrupt_records_total", "counter", "Stored records that did not match their checksum.", c.corruptRecords],
    [
      "records_set_aside",
      "gauge",
      "Damaged records kept aside in the store, to be looked at.",
      measured.damaged.setAside,
    ],
    ["damaged_records", "gauge", "Of those, keys that are refused still.", measured.damaged.waiting],
    ["corrupt_values_total", "counter", "Values from peers that did not match their checksum.", c.corruptValues],
    ["stale_rings_total", "counter", "Peers' requests refused because the rings differed.", c.staleRings],
    ["overloads_total", "counter", "Requests refused because too much was under way.", c.overloads],
    ["commits_total", "counter", "Batches of writes committed to the disk.", commits.commits],
    ["commits_failed_total", "counter", "Batches of writes that failed.", commits.failedCommits],
    [
      "buffered_writes_total",
      "counter",
      "Writes handed to the disk; with commits_total, how many share one.",
      commits.writes,
    ],
    ["write_buffer_bytes", "gauge", "Writes that wait for the disk.", buffer.queuedBytes],
    ["coordinations", "gauge", "Requests under way that this node coordinates.", measured.coordinations],
    ...admissionRows(measured.admission),
    ["pending_calls", "gauge", "Calls to peers that wait for an answer.", measured.pendingCalls],
    ["stored_keys", "gauge", "Keys in the store, the node's own records included.", usage.keys],
    ["stored_bytes", "gauge", "Bytes the store takes.", usage.bytes],
    ["members", "gauge", "Members of the cluster.", measured.members],
    ["members_up", "gauge", "Members this node can reach, itself included.", measured.membersUp],
    ["suspicions_total", "counter", "Times a connected peer was taken to be down for its silence.", suspicions],
    ["voices", "gauge", "Seats for which this node's answers count.", measured.voices],
    ["seats", "gauge", "Seats that this node holds; without a lost disk it has a voice in each.", measured.seats],
    ["ring_version", "gauge", "Names the placement this node knows; greater is newer.", measured.ringVersion],
    ["hash_tree_bytes", "gauge", "Memory the hash trees take.", measured.treeBytes],
    ["hash_trees_built", "gauge", "1 once every hash tree can be compared.", measured.areTreesBuilt ? 1 : 0],
    ...hintRows(measured),
    ...exchangeRows(measured.exchanges),
    ...reaperRows(measured.reaper, c),
    ...rpcRows("outgoing", measured.outgoing),
    ...rpcRows("incoming", measured.incoming),
  ];
}

function admissionRows(admission: Admission): readonly Row[] {
  const share = "The share of its full speed that work in the background may go at, for the sake of requests.";
  const ordinary =
    "What 99 in a hundred requests stay below while nothing runs in the background, by kind; 0 until known.";
  const kinds: readonly Served[] = ["get", "write", "copy"];
  return [
    ["background_share", "gauge", share, admission.share],
    ...kinds.map((kind): Row => {
      return ["ordinary_latency_seconds", "gauge", ordinary, (admission.ordinaryMs(kind) ?? 0) / 1000, { kind }];
    }),
  ];
}

function hintRows({ counters: c, hints }: Measured): readonly Row[] {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const writes = "Writes for an owner that could not be reached, by what became of them here.";
  return [
    ["hints", "gauge", "Keys kept for owners that could not be reached.", sum(hints.map((some) => some.hints))],
    ["hint_bytes", "gauge", "Bytes of those.", sum(hints.map((some) => some.bytes))],
    [
      "hint_oldest_seconds",
      "gauge",
      "How long the oldest of those has waited at most.",
      Math.max(0, ...hints.map((some) => some.oldestMs)) / 1000,
    ],
    ["hint_writes_total", "counter", writes, c.hintsKept, { outcome: "kept" }],
    ["hint_writes_total", "counter", writes, c.hintsRefused, { outcome: "refused" }],
    ["hints_delivered_total", "counter", "Hints that their owner has taken.", c.hintsDelivered],
  ];
}

function exchangeRows({ outcomes, totals }: AntiEntropyCounts): readonly Row[] {
  const bytes = "Bytes of exchanges that this node began.";
  return [
    ...Object.entries(outcomes).map(([outcome, value]): Row => {
      return ["exchanges_total", "counter", "Exchanges this node began, by how they ended.", value, { outcome }];
    }),
    ["exchanged_partitions_total", "counter", "Partitions compared with an owner.", totals.partitionsCompared],
    ["exchanged_keys_total", "counter", "Keys compared one by one.", totals.keysCompared],
    ["exchange_repairs_total", "counter", "Keys that an exchange brought up to date.", totals.keysRepaired],
    ["exchange_bytes_total", "counter", bytes, totals.bytesSent, { to: "peer" }],
    ["exchange_bytes_total", "counter", bytes, totals.bytesReceived, { to: "here" }],
  ];
}

function reaperRows({ candidates, watched, waitingFor }: ReaperView, counters: NodeCounters): readonly Row[] {
  const waiting = "Keys that could be forgotten if this member answered: it is down.";
  return [
    ["reaper_candidates", "gauge", "Keys this node leads whose owners may come to forget something.", candidates],
    ["reaper_watched", "gauge", "Keys of which this node tells how long they are unchanged.", watched],
    ["reaper_reaped_total", "counter", "Tombstones this node forgot.", counters.reapedKeys],
    ["reaper_compacted_total", "counter", "Contexts of live keys this node made shorter.", counters.compactedContexts],
    ...[...waitingFor].map(([member, keys]): Row => ["reaper_waiting", "gauge", waiting, keys, { member }]),
  ];
}

function rpcRows(direction: string, rpc: RpcCounters): readonly Row[] {
  const labels = { direction };
  return [
    ["messages_total", "counter", "Messages on connections to peers.", rpc.messagesOut, { direction, to: "peer" }],
    ["messages_total", "counter", "Messages on connections to peers.", rpc.messagesIn, { direction, to: "here" }],
    [
      "network_writes_total",
      "counter",
      "Writes to connections; messages_total over this is the batching.",
      rpc.writes,
      labels,
    ],
    ["network_bytes_total", "counter", "Bytes on connections to peers.", rpc.bytesOut, { direction, to: "peer" }],
    ["network_bytes_total", "counter", "Bytes on connections to peers.", rpc.bytesIn, { direction, to: "here" }],
    ["connections", "gauge", "Connections to peers that stand or are being made.", rpc.connections, labels],
    ...Object.entries(rpc.closed).map(([cause, value]): Row => {
      return [
        "connections_closed_total",
        "counter",
        "Connections to peers that closed, by cause.",
        value,
        { direction, cause },
      ];
    }),
  ];
}
