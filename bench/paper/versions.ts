/**
 * §6.3: how many versions a read of a cart finds, under failures and with several writers of one cart.
 *
 * The product's nodes and clients on virtual time: five nodes, N=3, R=W=2, and four shop servers, each with a client. A
 * customer comes every few seconds, through any of the servers: one read, a second of thinking, and a write that merges
 * whatever was found and adds an item. Carts with several writers have customers who know nothing of each other (the paper's
 * robots). Failures
 * come every minute and last twenty seconds: a node is killed and starts again, or the network splits, two nodes and two
 * servers on one side, the others on the other, and both sides go on.
 */

import type { Database } from "../../src/client/database.ts";
import { Prng } from "../../src/sim/prng.ts";
import { ClientWorld, type SimClient } from "../../test/client/client-world.ts";
import { columns, type Figure, type FigureOptions, type FigureResult } from "./figure.ts";
import { chartOf } from "./models/chart.ts";

const nodes = 5;
const servers = 4;
/** Who writes to carts: so many customers to each, and some that write to the first one besides. */
const crowds = [
  { name: "one writer a cart", short: "one", perCart: 1, robots: 0 },
  { name: "and a second one for one of the carts", short: "one, and a robot", perCart: 1, robots: 1 },
  { name: "two writers a cart", short: "two", perCart: 2, robots: 0 },
  { name: "eight writers a cart", short: "eight", perCart: 8, robots: 0 },
] as const;
type Crowd = (typeof crowds)[number];

const failures = ["no failure", "a node down", "a split"] as const;
type Failure = (typeof failures)[number];

const everyMs = 60_000;
const lastsMs = 20_000;
const cartItems = 12;
/** Reads of more versions than this are counted as this. */
const most = 5;

interface Seen {
  readonly failure: Failure;
  readonly crowd: string;
  /** Reads that found so many versions, from none up. */
  readonly reads: number[];
  writes: number;
  failed: number;
}

interface Shop {
  readonly failure: Failure;
  readonly crowd: Crowd;
  readonly customers: number;
  readonly durationMs: number;
  readonly seed: number;
}

const settings = { settings: { partitions: 64 } } as const;

async function shop({ failure, crowd, customers, durationMs, seed }: Shop): Promise<Seen> {
  const world = await ClientWorld.of(nodes, seed, settings);
  const seeds = Array.from({ length: nodes }, (_, i) => `n${i + 1}:7400`);
  const shops: SimClient[] = [];
  for (let i = 0; i < servers; i++) shops.push(await world.client({}, seeds));
  const seen: Seen = { failure, crowd: crowd.name, reads: new Array<number>(most + 1).fill(0), writes: 0, failed: 0 };
  let isOver = false;
  const customer = async (number: number): Promise<void> => {
    const prng = new Prng(seed, `customer ${number}`);
    const key = `cart${number < customers ? Math.floor(number / crowd.perCart) : 0}`;
    for (let i = 0; ; i++) {
      await world.simulation.sleep(prng.uniform(500, 5000));
      if (isOver) return;
      try {
        await visit(world, prng, shops, { key, item: `${number}-${i}` }, seen);
      } catch {
        seen.failed += 1;
      }
    }
  };
  const all = Promise.all(Array.from({ length: customers + crowd.robots }, (_, number) => customer(number)));
  const prng = new Prng(seed, "failures");
  for (let atMs = everyMs / 2; atMs + lastsMs < durationMs; atMs += everyMs) {
    world.simulation.schedule(atMs, undefined, () => fail(world, failure, prng, shops));
  }
  await world.simulation.run(durationMs);
  isOver = true;
  await world.simulation.settle(all, 60_000, "the last customers");
  return seen;
}

/** One look at the cart, and one change. */
async function visit(
  world: ClientWorld,
  prng: Prng,
  shops: readonly SimClient[],
  { key, item }: { readonly key: string; readonly item: string },
  seen: Seen,
): Promise<void> {
  const found = await prng.pick(shops).begin((db) => cartsOf(db).get(key));
  const versions = found.kind === "nothing" ? [] : found.versions.map(({ value }) => value);
  const count = Math.min(most, versions.length);
  seen.reads[count] = (seen.reads[count] ?? 0) + 1;
  await world.simulation.sleep(prng.uniform(200, 2000));
  const items = [...new Set(versions.flatMap((cart) => textOf(cart).split(" "))), item].slice(-cartItems);
  const value = new TextEncoder().encode(items.join(" "));
  await prng.pick(shops).begin((db) => cartsOf(db).put(key, value, { context: found.context }));
  seen.writes += 1;
}

function cartsOf(db: Database): ReturnType<typeof db.bucket> {
  return db.bucket("carts");
}

function textOf(cart: Uint8Array): string {
  return new TextDecoder().decode(cart);
}

/** Has it begin now, and end after its time. */
function fail(world: ClientWorld, failure: Failure, prng: Prng, shops: readonly SimClient[]): void {
  const { simulation, network } = world;
  if (failure === "a node down") {
    const name = `n${1 + prng.below(nodes)}`;
    world.kill(name);
    simulation.schedule(lastsMs, undefined, () => void world.start(name, settings));
  }
  if (failure === "a split") {
    const order = prng.shuffled(Array.from({ length: nodes }, (_, i) => world.machine(`n${i + 1}`)));
    const hosts = shops.map((_, i) => world.machine(`client${i + 1}`));
    const one = [...order.slice(0, 2), ...hosts.slice(0, servers / 2)];
    const other = [...order.slice(2), ...hosts.slice(servers / 2)];
    for (const a of one) {
      for (const b of other) {
        network.cut(a, b);
        network.cut(b, a);
      }
    }
    simulation.schedule(lastsMs, undefined, () => network.mendAll());
  }
}

async function run({ seconds = 600, seed, isBrief, tell }: FigureOptions): Promise<FigureResult> {
  const durationMs = (isBrief ? 55 : seconds) * 1000;
  const customers = isBrief ? 16 : 64;
  const all: Seen[] = [];
  for (const failure of failures) {
    for (const crowd of crowds) {
      tell(`${failure}, ${crowd.name} ...`);
      all.push(await shop({ failure, crowd, customers, durationMs, seed }));
    }
  }
  const counts = Array.from({ length: most }, (_, i) => i + 1);
  const total = ({ reads }: Seen): number => counts.reduce((sum, count) => sum + (reads[count] ?? 0), 0);
  const percent = (seen: Seen, count: number): number => (100 * (seen.reads[count] ?? 0)) / Math.max(1, total(seen));
  const heads = counts.map((count) => `${count}${count === most ? " or more" : ""}`);
  const rows = all.map((seen) => [
    `${seen.failure}, ${seen.crowd}`,
    String(total(seen)),
    ...counts.map((count) => percent(seen, count).toFixed(3)),
    String(seen.failed),
  ]);
  return {
    lines: columns([["", "reads", ...heads.map((head) => `${head} %`), "failed"], ...rows]),
    data: { nodes, servers, customers, virtualSeconds: durationMs / 1000, everyMs, lastsMs, runs: all },
    pictures: {
      "": chartOf({
        title: "Reads that found more than one version of a cart",
        below: `five nodes, N=3, R=W=2; ${durationMs / 60_000} virtual minutes each; failures 20 s of each minute`,
        across: {
          label: "writers of one cart",
          scale: "linear",
          from: -0.4,
          to: crowds.length - 0.6,
          marks: crowds.map((_, i) => i),
          write: (i) => crowds[i]?.short ?? "",
        },
        panels: [
          {
            axis: { label: "% of reads (from 0.001)", scale: "log", from: 0.001, to: 100 },
            lines: failures.map((failure) => ({
              name: failure,
              dashed: failure === "a node down",
              points: all
                .filter((seen) => seen.failure === failure)
                .map((seen, i) => [i, 100 - percent(seen, 1)] as const),
            })),
          },
        ],
      }),
    },
  };
}

export const versions: Figure = { name: "versions", title: "§6.3: how many versions a read finds", run };
