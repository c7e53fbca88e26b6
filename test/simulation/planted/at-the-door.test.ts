/**
 * Bugs planted in the ports around the product's node, or at its door, and the checker that catches each: what no line
 * of the product could be changed to do.
 *
 * A checker that has never failed proves nothing. Each bug runs over a few seeds that suit it and must be caught by
 * its own law; the same seeds without the bug must pass, or the catch would mean nothing either.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BuildNode, RunningNode } from "../../../src/sim/cluster.ts";
import type { Plan } from "../../../src/sim/plan.ts";
import { type Report, runSeed } from "../../../src/sim/run.ts";
import type { StorageEngine } from "../../../src/storage/engine.ts";
import { parseDataKey } from "../../../src/storage/store-key.ts";
import { buildNode } from "../../../tools/product-node.ts";
import { nodeSurroundings } from "../../../tools/surroundings.ts";
import { busy } from "./busy-plan.ts";

async function run(seed: number, build: BuildNode, adjust: (plan: Plan) => Plan): Promise<Report> {
  return runSeed({ seed, surroundings: nodeSurroundings, build, adjust });
}

/** Runs seeds until the bug is caught: by one of `laws`, and the same seed must pass without it. */
async function caught(laws: readonly string[], build: BuildNode, adjust: (plan: Plan) => Plan): Promise<void> {
  const seeds = 8;
  for (let seed = 1; seed <= seeds; seed++) {
    const { violations } = await run(seed, build, adjust);
    const hit = violations.find(({ law }) => laws.includes(law));
    if (hit === undefined) continue;
    const sound = await run(seed, buildNode, adjust);
    assert.deepEqual(sound.violations, [], `seed ${seed} fails without the bug, too`);
    return;
  }
  assert.fail(`not caught in ${seeds} seeds by ${laws.join(", ")}`);
}

/** The product's node with some calls answered otherwise. */
function withDoor(change: (node: RunningNode) => Partial<RunningNode>): BuildNode {
  return (parts) => {
    const node = buildNode(parts);
    const changed = change(node);
    return new Proxy(node, {
      get: (target, name) => {
        const replaced = Reflect.get(changed, name);
        if (replaced !== undefined) return replaced;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
}

/** The product's node over an engine that does something else with what is written. */
function withEngine(change: (engine: StorageEngine) => Partial<StorageEngine>): BuildNode {
  return (parts) => {
    const { engine } = parts;
    const plain: StorageEngine = {
      name: engine.name,
      get: (key) => engine.get(key),
      write: (operations) => engine.write(operations),
      scan: (range, limit) => engine.scan(range, limit),
      drop: (range) => engine.drop(range),
      usage: () => engine.usage(),
      close: () => engine.close(),
    };
    return buildNode({ ...parts, engine: { ...plain, ...change(engine) } });
  };
}

function isData(key: Uint8Array): boolean {
  try {
    parseDataKey(key);
    return true;
  } catch {
    return false;
  }
}

test("an engine that acknowledges before it is durable is caught by durability", () =>
  caught(
    ["durability", "regular reads"],
    withEngine((engine) => {
      // Shown to readers at once, acknowledged at once, on the disk some time later.
      const underWay = new Map<string, Uint8Array | undefined>();
      const name = (key: Uint8Array): string => String.fromCharCode(...key);
      return {
        get: (key) => (underWay.has(name(key)) ? underWay.get(name(key)) : engine.get(key)),
        write: async (operations) => {
          if (!operations.every(({ key }) => isData(key))) return engine.write(operations);
          for (const { key, value } of operations) underWay.set(name(key), value);
          engine.write(operations).then(
            () => {
              for (const { key, value } of operations) {
                if (underWay.get(name(key)) === value) underWay.delete(name(key));
              }
            },
            () => {},
          );
          return undefined;
        },
      };
    }),
    busy(
      [
        ["power loss", 400],
        ["kill", 400],
      ],
      // In one zone: else what answers say of zones is seen not to be on the disks first.
      { safetyMs: 6000, keysPerBucket: 3, zones: 1, disk: { leastCommitMs: 50, mostCommitMs: 300 } },
    ),
  ));

test("a node that calls a write refused when it does not know is caught by honest answers", () =>
  caught(
    ["honest answers"],
    withDoor((node) => ({
      put: async (request) => {
        const answer = await node.put(request);
        return answer.kind === "written" ? answer : { kind: "failure", code: answer.code, detail: answer.detail };
      },
    })),
    busy([["cut", 200]]),
  ));

test("a node that writes over what it was to leave alone is caught by only if absent", () =>
  caught(
    ["only if absent"],
    withDoor((node) => ({ put: (request) => node.put({ ...request, onlyIfAbsent: false }) })),
    busy([], { safetyMs: 6000, keysPerBucket: 6 }),
  ));

test("a node that ignores a context it cannot read is caught", () =>
  caught(
    ["foreign contexts are refused"],
    withDoor((node) => ({
      delete: async (request) => {
        const answer = await node.delete(request);
        if (answer.kind === "written" || answer.code !== "bad-context") return answer;
        const { context: _ignored, ...rest } = request;
        return node.delete(rest);
      },
    })),
    busy([], { keysPerBucket: 3 }),
  ));

test("a node that coordinates past its limit is caught by bounds", () =>
  caught(
    ["bounds"],
    (parts) => buildNode({ ...parts, limits: { ...parts.limits, coordinations: 10_000 } }),
    (plan) => {
      const adjusted = busy([["disk stall", 500]])(plan);
      return { ...adjusted, clients: 20, mostRestMs: 5, limits: { ...adjusted.limits, coordinations: 2 } };
    },
  ));

test("a node that leaves a call without an answer is caught", () =>
  caught(
    ["calls answer"],
    withDoor((node) => {
      let calls = 0;
      return { get: (request) => (++calls % 50 === 0 ? new Promise(() => {}) : node.get(request)) };
    }),
    busy([]),
  ));

test("a node that throws is caught", () =>
  caught(
    ["calls answer"],
    withDoor((node) => ({
      get: async (request) => {
        if (request.r === "all") throw new Error("planted");
        return node.get(request);
      },
    })),
    busy([]),
  ));

test("a replica whose disk changes values is caught, as what nobody wrote or by the node's own checksums", () =>
  caught(
    ["integrity", "no error is logged"],
    withEngine((engine) => ({
      get: (key) => {
        const value = engine.get(key);
        const last = value === undefined ? 0 : value.length - 1;
        if (value !== undefined && isData(key)) value[last] = (value[last] as number) ^ 1;
        return value;
      },
    })),
    busy([["kill", 1000]]),
  ));

test("a node that does not come up is caught", () =>
  caught(
    ["a node starts"],
    withDoor(() => ({ start: () => Promise.reject(new Error("planted")) })),
    busy([]),
  ));

test("a node that never ends its stop is caught", () =>
  caught(
    ["a node stops"],
    withDoor(() => ({ stop: () => new Promise(() => {}) })),
    busy([["graceful stop", 500]], { clients: 1, mostRestMs: 1000, safetyMs: 25_000 }),
  ));

test("a node with an error that nobody catches is caught", () =>
  caught(
    ["no uncaught error"],
    (parts) => {
      parts.runtime.clock.setTimer(2000, () => {
        throw new Error("planted");
      });
      return buildNode(parts);
    },
    busy([]),
  ));

test("a node that shows nothing of what the others show is caught", () =>
  caught(
    ["agreement"],
    withDoor((node) => ({
      get: async (request) => {
        const answer = await node.get(request);
        return answer.kind === "found" && node.name === "n2" ? { ...answer, versions: [] } : answer;
      },
    })),
    busy([]),
  ));
