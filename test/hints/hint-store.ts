/** Hints on a simulated disk that loses what is not synced when its process dies. */

import assert from "node:assert/strict";
import type { Dot } from "../../src/core/causality/dot.ts";
import { emptyDotSet } from "../../src/core/causality/dot-set.ts";
import { emptySiblingSet, putVersion, type SiblingSet } from "../../src/core/causality/sibling-set.ts";
import type { ActorId, NodeId } from "../../src/core/ids.ts";
import { defaultLimits, type Limits } from "../../src/core/limits.ts";
import { foldHistory, type Ring } from "../../src/core/ring/ring.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import { type NodeCounters, newCounters } from "../../src/node/counters.ts";
import { Hints } from "../../src/node/hints.ts";
import { type KeyPlace, placeOf } from "../../src/node/key-place.ts";
import type { WriteIntent } from "../../src/node/replica.ts";
import { SetAside } from "../../src/node/set-aside.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import type { MachineDisk } from "../../src/sim/machine-disk.ts";
import type { StorageError } from "../../src/storage/engine.ts";
import { type DurableListener, WriteBuffer } from "../../src/storage/write-buffer.ts";
import { foundEvent } from "../anti-entropy/histories.ts";
import { World } from "../membership/world.ts";

export const partitions = 16;
export const ownerA: NodeId = "00000000000000aa" as NodeId;
export const ownerB: NodeId = "00000000000000bb" as NodeId;

/** A listener that remembers. */
export class Told implements DurableListener {
  told: "durable" | StorageError | undefined;

  onDurable(): void {
    this.told = "durable";
  }

  onFailed(error: StorageError): void {
    this.told = error;
  }
}

/** A machine that keeps hints, and is restarted as its test says. */
export class HintStore {
  readonly world: World;
  ring: Ring;
  hints!: Hints;
  buffer!: WriteBuffer;
  counters!: NodeCounters;
  runtime!: Runtime;
  readonly #limits: Limits;

  constructor(limits: Partial<Limits> = {}, seed = 1) {
    this.world = new World(seed);
    this.#limits = { ...defaultLimits, ...limits };
    this.ring = foldHistory(foundEvent({ partitions, n: 3 }, { newest: { reconcile: "last-write-wins" } }));
    this.start();
  }

  get disk(): MachineDisk {
    return this.world.machine("n1").disk;
  }

  start(): void {
    const { runtime, engine } = this.world.machine("n1").spawn("n1");
    const { clock } = runtime;
    const limits = this.#limits;
    const buffer = new WriteBuffer({
      engine,
      clock,
      limitBytes: limits.writeBufferBytes,
      onCommitFailed: (_, keys) => hints.mayHaveReverted(keys),
    });
    const counters = newCounters();
    const hints = new Hints({
      runtime,
      buffer,
      limits,
      counters,
      setAside: new SetAside(buffer),
      ring: () => this.ring,
    });
    hints.start();
    this.runtime = runtime;
    this.buffer = buffer;
    this.counters = counters;
    this.hints = hints;
  }

  /** Loses what is not on disk, by chance. */
  crash(): void {
    this.world.kill("n1");
  }

  /** Lets time pass until nothing waits for the disk and all is counted. */
  async settled(): Promise<void> {
    const isSettled = (): boolean => this.buffer.queuedBytes === 0 && this.hints.areCounted;
    assert.ok(await this.world.simulation.runUntil(isSettled, 60_000));
  }
}

export function place(key: string, bucket = "carts"): KeyPlace {
  return placeOf(bucket, key, partitions);
}

export function stateOf(text: string, counter = 1, actor = "x.1", time = 1000): SiblingSet {
  return putVersion(emptySiblingSet, emptyDotSet, sibling(text, { actor: actor as ActorId, counter }, time));
}

function sibling(text: string, dot: Dot, modified: number): SiblingSet["siblings"][number] {
  const value = new TextEncoder().encode(text);
  return { dot, value, checksum: machineChecksum(value), contentType: "text/plain", modified };
}

export function intentOf(text: string, more: Partial<WriteIntent> = {}): WriteIntent {
  const value = new TextEncoder().encode(text);
  const version = { value, checksum: machineChecksum(value), contentType: "text/plain" };
  return { seen: emptyDotSet, version, lastWriteWins: false, ...more };
}

export function textsOf(state: SiblingSet | undefined): readonly string[] {
  return (state?.siblings ?? []).map(({ value }) => new TextDecoder().decode(value)).sort();
}
