/** One key of a whole cluster on virtual time: who owns it, who stands in, and what is on whose disk. */

import assert from "node:assert/strict";
import type { DeleteRequest, GetOutcome, GetRequest, PutRequest, WriteOutcome } from "../../src/node/api.ts";
import { placeOf } from "../../src/node/key-place.ts";
import { isHintKey, parseHintKey } from "../../src/storage/store-key.ts";
import { decodeRecord } from "../../src/wire/record.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";
import type { StartOptions, World } from "../membership/world.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const partitions = 16;
const bucket = "carts";

export class OneKey {
  readonly world: World;
  readonly key: string;
  /** Names in the order of preference. */
  readonly owners: readonly string[];
  readonly fallbacks: readonly string[];

  private constructor(world: World, key: string) {
    this.world = world;
    this.key = key;
    const { n, preferenceList } = world.nodes.get("n1")?.locate(bucket, key) ?? assert.fail();
    const names = preferenceList.map(({ name }) => name);
    this.owners = names.slice(0, n);
    this.fallbacks = names.slice(n);
  }

  /** A new cluster of so many nodes, n=3, r=w=2, and a key in it. */
  static async in(world: World, size: number, options: StartOptions = {}): Promise<OneKey> {
    await world.cluster(size, options);
    return new OneKey(world, "k");
  }

  /** The like with the nodes in these zones, and a key for which something holds. */
  static async inZones(
    world: World,
    zones: readonly string[],
    suits: (key: OneKey) => boolean = () => true,
  ): Promise<OneKey> {
    await world.cluster(zones.length, {}, zones);
    for (let i = 0; i < 1000; i++) {
      const key = new OneKey(world, `k${i}`);
      if (suits(key)) return key;
    }
    return assert.fail("there is no such key");
  }

  zoneOf(name: string): string {
    const views = [...this.world.nodes.values()].map((node) => node.cluster().members);
    return views[0]?.find((member) => member.name === name)?.zone ?? assert.fail();
  }

  /** The owner, or the fallback, that is asked so-manyth. */
  owner(i: number): string {
    return this.owners[i] ?? assert.fail();
  }

  fallback(i: number): string {
    return this.fallbacks[i] ?? assert.fail();
  }

  /** Kills nodes and lets the others notice. */
  async lose(...names: readonly string[]): Promise<void> {
    for (const name of names) this.world.kill(name);
    await this.world.simulation.run(2000);
  }

  put(on: string, value: string, more: Partial<PutRequest> = {}): Promise<WriteOutcome> {
    const request = { bucket, key: this.key, value: encoder.encode(value), contentType: "text/plain", ...more };
    return this.world.inside(on, (node) => node.put(request));
  }

  delete(on: string, more: Partial<DeleteRequest> = {}): Promise<WriteOutcome> {
    return this.world.inside(on, (node) => node.delete({ bucket, key: this.key, ...more }));
  }

  get(on: string, more: Partial<GetRequest> = {}): Promise<GetOutcome> {
    return this.world.inside(on, (node) => node.get({ bucket, key: this.key, ...more }));
  }

  /** What a get finds: the live versions, sorted, or why it failed. */
  async values(on: string, more: Partial<GetRequest> = {}): Promise<readonly string[] | string> {
    const outcome = await this.get(on, more);
    if (outcome.kind === "failure") return outcome.code;
    return outcome.versions.map(({ value }) => decoder.decode(value)).sort();
  }

  /** The owners for whom a machine keeps hints of the key, by name, with their live versions. */
  hintsAt(machine: string): Readonly<Record<string, readonly string[]>> {
    const names = new Map(
      [...this.world.nodes.values()].flatMap((node) => node.cluster().members.map(({ id, name }) => [id, name])),
    );
    const found: Record<string, readonly string[]> = {};
    for (const { key, value } of this.world.machine(machine).disk.sorted()) {
      if (!isHintKey(key)) continue;
      const hint = parseHintKey(key);
      if (hint.key === this.key) found[names.get(hint.owner) ?? hint.owner] = versions(value, key);
    }
    return found;
  }

  /** The live versions of the machine's own copy; undefined where it has none. */
  copyAt(machine: string): readonly string[] | undefined {
    const { bytes } = placeOf(bucket, this.key, partitions).storeKey;
    const record = this.world.machine(machine).disk.get(bytes);
    return record && versions(record, bytes);
  }
}

function versions(record: Uint8Array, key: Uint8Array): readonly string[] {
  const { state } = decodeRecord(record, key, nodeSurroundings.checksum);
  return state.siblings.map(({ value }) => decoder.decode(value)).sort();
}
