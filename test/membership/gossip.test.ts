/** What two members tell each other in a round of gossip, and that it is all they need (§4.8.1). */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NodeId } from "../../src/core/ids.ts";
import type { HistoryEvent } from "../../src/core/membership/event.ts";
import { uniteHistories } from "../../src/core/membership/history.ts";
import type { NodeRecord } from "../../src/core/membership/node-record.ts";
import { defaultGossipOptions, Gossip } from "../../src/node/gossip.ts";
import type { MemberCalls } from "../../src/node/member-calls.ts";
import { Membership } from "../../src/node/membership.ts";
import { SeatNews } from "../../src/node/seat-news.ts";
import { Seats } from "../../src/node/seats.ts";
import { Stamps } from "../../src/node/stamps.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { TaskGroup } from "../../src/runtime/task-group.ts";
import { MachineClock } from "../../src/sim/clock.ts";
import { simLog } from "../../src/sim/log.ts";
import { SimProcess } from "../../src/sim/process.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import type { MetaStore } from "../../src/storage/meta-store.ts";
import type { Request } from "../../src/wire/message.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";
import { found, histories, join, nodeId } from "../core/membership-arbitraries.ts";

function memoryMeta(): MetaStore {
  const records = new Map<string, Uint8Array | undefined>();
  return {
    get: (name) => records.get(name),
    put: async (changes) => {
      for (const { name, value } of changes) records.set(name, value);
    },
  };
}

class Side {
  readonly membership: Membership;
  readonly gossip: Gossip;
  readonly seats: Seats;
  readonly news: SeatNews;
  readonly stamps: Stamps;
  readonly meta: MetaStore = memoryMeta();
  readonly simulation: Simulation = new Simulation(1, nodeSurroundings);
  other: Side | undefined;
  /** The kinds of what it asked. */
  readonly asked: string[] = [];

  constructor(name: string, mostEntries: number) {
    const { simulation } = this;
    const process = new SimProcess(simulation, name, 0, 0);
    const none = (): never => assert.fail("gossip goes over members' calls");
    const runtime: Runtime = {
      clock: new MachineClock(simulation, 1, 0).of(process),
      random: simulation.prng(name),
      network: { listen: none, dial: none },
      log: simLog(process, new Map()),
      checksum: nodeSurroundings.checksum,
    };
    this.membership = new Membership(runtime, this.meta, { name, settings: {}, software: "test" });
    const calls: MemberCalls = { ask: async (_, request) => this.#ask(request), askAddress: none };
    const { membership } = this;
    this.seats = new Seats(membership, this.meta, runtime.clock, runtime.log);
    this.news = new SeatNews(this.seats, undefined as never, new TaskGroup(runtime.log), () => membership.self);
    this.stamps = new Stamps(membership, this.meta, runtime);
    const { seats, news, stamps } = this;
    const parts = { runtime, membership, calls, seats, news, stamps };
    this.gossip = new Gossip(parts, { ...defaultGossipOptions, mostEntries });
  }

  async #ask(request: Request) {
    const other = this.other as Side;
    this.asked.push(request.kind);
    if (request.kind === "gossip") return other.gossip.handleGossip(request);
    if (request.kind === "compare-seats") return other.news.answer(request);
    if (request.kind === "seats-told") {
      other.news.take(request);
      return { kind: "done", id: 0 } as const;
    }
    return request.kind === "gossip-delta" ? other.gossip.handleDelta(request) : assert.fail(request.kind);
  }

  /** Node 0, which founded the cluster, knows these. */
  async know(events: readonly HistoryEvent[], records: readonly NodeRecord[]): Promise<this> {
    await this.membership.open();
    const [founding, ...rest] = events;
    const who = { node: nodeId(0), incarnation: `1-${nodeId(0)}`, secret: new Uint8Array(32) };
    const answer = {
      kind: "join-answer",
      id: 0,
      ...who,
      events: [founding as HistoryEvent],
      records: [],
      seats: [],
    } as const;
    assert.equal((await this.membership.adopt(answer)).kind, "absorbed");
    assert.equal((await this.membership.absorb(rest, records)).kind, "absorbed");
    return this;
  }

  get knowledge(): unknown {
    const records = [...this.membership.records.values()].sort((a, b) => (a.node < b.node ? -1 : 1));
    return { history: this.membership.history, records };
  }
}

const recordOf = (node: NodeId, version: number): NodeRecord => {
  const where = { peer: `${node}:7400`, http: "", voices: 0, software: "test" };
  return { node, incarnation: "1-x", version, ...where };
};

/** What each side knows: a beginning of each author's events, and some version of each record. */
async function sides(events: readonly HistoryEvent[], marks: readonly number[], mostEntries: number) {
  const all = uniteHistories([], events);
  const built = [0, 1].map((side) => {
    const stopped = new Set<string>();
    const known = all.filter((event, i) => {
      if (i > 0 && ((marks[i % Math.max(1, marks.length)] ?? 0) >> side) % 2 === 1) stopped.add(event.author);
      return i === 0 || !stopped.has(event.author);
    });
    const records = Array.from({ length: 8 }, (_, i) => recordOf(nodeId(i), ((marks[i] ?? 0) >> (2 * side + 2)) % 4));
    return new Side(`side${side}`, mostEntries).know(
      known,
      records.filter(({ version }) => version > 0),
    );
  });
  const [a, b] = (await Promise.all(built)) as [Side, Side];
  a.other = b;
  b.other = a;
  return { a, b };
}

test("whatever two members know, in a few exchanges they know the same, and then one short question says so", async () => {
  const marks = fc.array(fc.nat(63), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(histories, marks, fc.constantFrom(1, 3, 1000), async (events, known, mostEntries) => {
      const { a, b } = await sides(events, known, mostEntries);
      const union = uniteHistories(a.membership.history, b.membership.history);
      for (let i = 0; ; i++) {
        const before = a.asked.length;
        assert.ok((await a.gossip.exchange(nodeId(1)).catch(() => false)) || mostEntries <= union.length);
        if (a.asked.length === before + 1) break;
        assert.ok(i <= union.length + 8, "no end");
      }
      assert.deepEqual(a.knowledge, b.knowledge);
      assert.deepEqual(a.membership.history, union);
      assert.deepEqual(a.membership.summary, b.membership.summary);
      for (const { node } of a.membership.records.values()) assert.ok(a.membership.ring.members.has(node));
    }),
    { numRuns: 150 },
  );
});

test("an exchange that was not cut leaves the asker with all the other knew", async () => {
  const marks = fc.array(fc.nat(63), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(histories, marks, fc.constantFrom(2, 1000), async (events, known, mostEntries) => {
      const { a, b } = await sides(events, known, mostEntries);
      const theirs = b.membership.history;
      if (!(await a.gossip.exchange(nodeId(1)))) return;
      for (const event of theirs)
        assert.ok(
          a.membership.history.some(({ lamport, author }) => lamport === event.lamport && author === event.author),
        );
    }),
    { numRuns: 100 },
  );
});

test("what a member knows survives its restart, and what it forgot with a removed member does not come back", async () => {
  const place = { zone: "", capacity: 1 };
  const events = [found({ partitions: 4, n: 1, r: 1, w: 1 }, place), join(1, 2, place), join(2, 3, place)];
  const side = await new Side("side", 1000).know(
    events,
    [0, 1, 2].map((i) => recordOf(nodeId(i), 5)),
  );
  const removal = { kind: "remove", lamport: 4, author: nodeId(0), at: 0, node: nodeId(2), claim: 1 } as const;
  await side.membership.absorb([removal], []);
  await side.membership.absorb([], [recordOf(nodeId(2), 9)]);
  assert.deepEqual([...side.membership.records.keys()], [nodeId(0), nodeId(1)]);
  const again = new Side("side", 1000);
  for (const name of [
    "identity",
    ...[0, 1, 2, 3].map((i) => `event/${i}`),
    ...[0, 1, 2].map((i) => `record/${nodeId(i)}`),
  ]) {
    await again.meta.put([{ name, value: side.meta.get(name) }]);
  }
  await again.membership.open();
  assert.deepEqual(again.knowledge, side.knowledge);
  assert.deepEqual(again.membership.summary, side.membership.summary);
});

test("a node that is alone has nobody to draw from, and that is no failure", async () => {
  const alone = new Side("alone", 1000);
  await alone.know([found({ partitions: 4, n: 1, r: 1, w: 1 }, { zone: "", capacity: 1 })], []);
  alone.gossip.start();
  await alone.simulation.run(5000);
  await alone.gossip.stop();
  assert.deepEqual(alone.simulation.violations, []);
});
