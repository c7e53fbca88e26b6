/**
 * Where dots come from. Law: a dot is minted once, ever.
 *
 * A second write under the name of a first is lost in silence: whoever has seen the first takes the second for
 * known. It is the field's best-known bug (Riak's kv679), and every plausible rule has it:
 *
 * - an id kept on disk and a counter read from the key's context: a crash takes back what had been sent and not yet
 *   synced, and the counter with it;
 * - the same without crashes: a backup is restored, a key's partition moves away and comes back, a context is pruned;
 * - an actor recognised in a state that came by merge: two copies of one node's state, sent to two others, come back.
 *
 * So: an actor is 64 random bits drawn at process start and a serial. The actor a node mints under for a key, and its
 * last counter, are a private `MintRecord` beside the key's state: written and deleted with it, never replicated,
 * never inferred from a context. A record of another run is void; so are no record, a state that came by merge alone
 * and whatever is on disk after a local write failed. A void record means a new actor, which costs one more interval
 * in the key's context and nothing else.
 *
 * The single-key model (`test/models/single-key`) runs this rule through every fault against an oracle, and shows
 * each weaker rule to lose acknowledged writes.
 *
 * What no rule can see is a whole machine, memory and disk, set back to a snapshot and run on: such a node must be
 * restarted.
 */

import { toBase64Url } from "../bytes/base64url.ts";
import type { ActorId } from "../ids.ts";
import type { Dot } from "./dot.ts";

/** The private record beside a key's state: who mints here, and the counter of its last dot. */
export interface MintRecord {
  readonly actor: ActorId;
  readonly counter: number;
}

export interface Minted {
  readonly dot: Dot;
  /** To be stored with the state that holds the dot, in one step. */
  readonly record: MintRecord;
}

/** How many random bytes name a run. */
export const runBytes = 8;

/** One process's mint. Nothing of it is ever stored: a process that starts makes a new one from fresh random bytes. */
export class ActorSource {
  #run: string;
  #serial = 0;

  /** `random` is `runBytes` bytes that no other run of any process has drawn. */
  constructor(random: Uint8Array) {
    this.#run = runText(random);
  }

  /** What the run is called. */
  get run(): string {
    return this.#run;
  }

  /** The next dot of the key that this record is stored beside; the record's actor goes on if this run made it. */
  mint(record: MintRecord | undefined): Minted {
    const ours = record?.actor.startsWith(this.#run) ? record : { actor: this.#newActor(), counter: 0 };
    const dot: Dot = { actor: ours.actor, counter: ours.counter + 1 };
    return { dot, record: dot };
  }

  /**
   * Makes every record so far void. To be called when a local write failed: its dot may have been sent already, and
   * what is on disk may be older.
   */
  renewRun(random: Uint8Array): void {
    this.#run = runText(random);
  }

  #newActor(): ActorId {
    return `${this.#run}${(this.#serial++).toString(36)}` as ActorId;
  }
}

/** 11 characters and a dot, so that no run's text begins another's. */
function runText(random: Uint8Array): string {
  if (random.length !== runBytes) throw new RangeError(`a run is named by ${runBytes} bytes, not ${random.length}`);
  return `${toBase64Url(random)}.`;
}
