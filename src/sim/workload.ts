/**
 * Clients: each calls one node after another, remembers what it has seen, and writes down everything in the journal.
 *
 * What they do is what loses data where a rule is wrong: writes that build on a read, on the client's own last write,
 * on a context long out of date or on somebody else's; blind writes; deletes with and without a context; another key's
 * context (which must be refused); small and large quorums; and most of it on few keys.
 */

import type { Dot } from "../core/causality/dot.ts";
import { covers, type DotSet, dotCount, emptyDotSet, holds } from "../core/causality/dot-set.ts";
import type { BucketSettings, Quorum } from "../core/settings.ts";
import type { Failure, GetFound, GetOutcome, WriteOutcome, Written } from "../node/api.ts";
import { callNode, type Ended } from "./calling.ts";
import type { SimCluster, SimMember } from "./cluster.ts";
import { describeSet, type Journal, type KeyJournal, type ReadEntry, type WriteEntry } from "./journal.ts";
import { mayPrune } from "./plan.ts";
import type { Prng } from "./prng.ts";
import { answersOfRead, copiesOfWrite, drawQuorum } from "./quorum-words.ts";
import { dotsOfToken } from "./token-dots.ts";

/** What a client has been given for a key. */
export interface Known {
  readonly token: string;
  readonly dots: DotSet;
}

const mostKnown = 12;

const encoder: TextEncoder = new TextEncoder();
const decoder: TextDecoder = new TextDecoder("utf-8");

export interface WorkloadCounts {
  reads: number;
  failedReads: number;
  acknowledged: number;
  refused: number;
  unknown: number;
}

export class Client {
  readonly name: string;
  readonly #cluster: SimCluster;
  readonly #journal: Journal;
  readonly #counts: WorkloadCounts;
  readonly #prng: Prng;
  readonly #zonePrng: Prng;
  readonly #known: Map<KeyJournal, Known[]> = new Map();
  /** Contexts that any client was given: clients pass them on. */
  readonly #shared: Map<KeyJournal, Known[]>;
  readonly #settings: ReadonlyMap<string, BucketSettings>;

  constructor(options: {
    readonly name: string;
    readonly cluster: SimCluster;
    readonly journal: Journal;
    readonly counts: WorkloadCounts;
    readonly shared: Map<KeyJournal, Known[]>;
    readonly settings: ReadonlyMap<string, BucketSettings>;
  }) {
    this.name = options.name;
    this.#cluster = options.cluster;
    this.#journal = options.journal;
    this.#counts = options.counts;
    this.#shared = options.shared;
    this.#settings = options.settings;
    this.#prng = options.cluster.simulation.prng(`client ${options.name}`);
    this.#zonePrng = options.cluster.simulation.prng(`zones of ${options.name}`);
  }

  /** Calls until `isOver`. */
  async run(isOver: () => boolean): Promise<void> {
    const { simulation, plan } = this.#cluster;
    while (!isOver()) {
      await simulation.sleep(this.#prng.skewed(0, plan.mostRestMs));
      const member = this.#pickMember();
      if (member !== undefined) await this.#act(member, this.#pickKey());
    }
  }

  /** One read for the journal; what was found, or the failure, or silence. */
  async read(
    member: SimMember,
    key: KeyJournal,
    r: Quorum | undefined,
    pr?: Quorum,
    zones = 1,
  ): Promise<ReadEntry | Failure | undefined> {
    const { simulation } = this.#cluster;
    const began = simulation.now;
    this.#cluster.fewest.look();
    const request = {
      bucket: key.bucket,
      key: key.key,
      ...(r === undefined ? {} : { r }),
      ...(pr === undefined ? {} : { pr }),
      ...(zones === 1 ? {} : { zones }),
    };
    const zonesHeard = zones === 1 ? undefined : this.#cluster.zones.reads(key, member);
    const ended = await callNode<GetOutcome>(this.#cluster, member, (node) => node.get(request));
    this.#counts.reads++;
    const heard = zonesHeard?.();
    if (ended.kind === "answered" && ended.outcome.kind === "found") {
      const { answers, owners } = answersOfRead(key.settings, r, pr);
      const { voices, seats } = ended.outcome;
      // Nothing is for owners to say, all of it: who stands in knows nothing of what was acknowledged elsewhere. Seats
      // that nobody has ever held have acknowledged nothing.
      const { answers: ofSeats } = answersOfRead({ ...key.settings, n: Math.min(seats, key.settings.n) }, r, pr);
      const ofOwners = ended.outcome.context === undefined ? Math.max(ofSeats, owners) : owners;
      this.#promised(key, `a read at ${member.machine.name}`, began, voices, ofOwners);
      if (heard !== undefined) this.#fromZones(key, `a read at ${member.machine.name}`, heard, zones);
      return this.#saw(key, ended.outcome, { began, answers, voices, seats, node: member.machine.name });
    }
    this.#counts.failedReads++;
    return ended.kind === "answered" ? (ended.outcome as Failure) : undefined;
  }

  /** Reads the key and writes what replaces it, again and again until a write is acknowledged; false if none is. */
  async writeSurely(member: SimMember, key: KeyJournal, kind: "put" | "delete", withinMs: number): Promise<boolean> {
    const { simulation } = this.#cluster;
    const until = simulation.now + withinMs;
    while (simulation.now < until) {
      await this.read(member, key, "all");
      await this.#write(member, key, kind, this.#known.get(key)?.at(-1));
      if (key.writes.at(-1)?.fate === "acknowledged") return true;
      await simulation.sleep(500);
    }
    return false;
  }

  async #act(member: SimMember, key: KeyJournal): Promise<void> {
    const prng = this.#prng;
    const { n } = key.settings;
    const choice = prng.below(100);
    if (choice < 30) {
      const pr = prng.chance(0.2) ? prng.between(0, n) : undefined;
      await this.read(member, key, drawQuorum(prng, n), pr, this.#drawZones(key));
    } else if (choice < 55) {
      await this.read(member, key, prng.chance(0.8) ? undefined : 1);
      const writer = prng.chance(0.5) ? member : (this.#pickMember() ?? member);
      await this.#write(writer, key, prng.chance(0.2) ? "delete" : "put", this.#known.get(key)?.at(-1));
    } else if (choice < 70) {
      await this.#write(member, key, "put", this.#known.get(key)?.at(-1));
    } else if (choice < 80) {
      await this.#write(member, key, "put", undefined);
    } else if (choice < 88) {
      await this.#write(member, key, prng.chance(0.3) ? "delete" : "put", this.#any(this.#known.get(key)));
    } else if (choice < 94) {
      await this.#write(member, key, prng.chance(0.3) ? "delete" : "put", this.#any(this.#shared.get(key)));
    } else if (choice < 98) {
      await this.#write(member, key, "delete", undefined);
    } else {
      await this.#writeWithForeignContext(member, key);
    }
  }

  async #write(member: SimMember, key: KeyJournal, kind: "put" | "delete", known: Known | undefined): Promise<void> {
    const { simulation, fewest } = this.#cluster;
    fewest.look();
    const prng = this.#prng;
    const w = drawQuorum(prng, key.settings.n);
    const dw = prng.chance(0.1) ? prng.between(0, key.settings.n) : undefined;
    const pw = prng.chance(0.1) ? prng.between(0, key.settings.n) : undefined;
    const asked = {
      ...(w === undefined ? {} : { w }),
      ...(dw === undefined ? {} : { dw }),
      ...(pw === undefined ? {} : { pw }),
    };
    const zones = this.#drawZones(key);
    const isRetried = kind === "put" && prng.chance(0.15);
    const onlyIfAbsent = kind === "put" && known === undefined && !isRetried && prng.chance(0.1);
    const write: WriteEntry = {
      number: this.#journal.nextNumber(),
      kind,
      client: this.name,
      node: member.machine.name,
      seen: known?.dots ?? emptyDotSet,
      readsFirst: kind === "delete" && known === undefined,
      isRetried,
      onlyIfAbsent,
      ...copiesOfWrite(key.settings, asked, zones),
      zones,
      began: simulation.now,
      ended: Number.POSITIVE_INFINITY,
      fate: "pending",
      why: "",
      dot: undefined,
      dots: [],
      time: undefined,
      voices: 0,
      seats: 0,
    };
    this.#journal.began(key, write);
    const base = {
      bucket: key.bucket,
      key: key.key,
      ...asked,
      ...(zones === 1 ? {} : { zones }),
      ...(known === undefined ? {} : { context: known.token }),
    };
    const put = {
      ...base,
      value: valueBytesOf(write, this.#cluster.plan.valueBytes),
      contentType: "text/plain",
      ...(isRetried ? { writeId: `w${write.number}` } : {}),
      ...(onlyIfAbsent ? { onlyIfAbsent: true } : {}),
    };
    const attempt = async (at: SimMember): Promise<void> => {
      const ended = await callNode<WriteOutcome>(this.#cluster, at, (node) =>
        kind === "delete" ? node.delete(base) : node.put(put),
      );
      this.#noteEnd(key, write, ended);
    };
    await attempt(member);
    // Also after an answer: it may have been lost on its way to the client.
    while (isRetried && prng.chance(write.fate === "acknowledged" ? 0.3 : 0.7)) {
      await attempt(this.#pickMember() ?? member);
    }
    this.#counts[write.fate === "pending" ? "unknown" : write.fate]++;
  }

  /** A write's fate is the best that any of its attempts had, and unknown stays unknown until one is acknowledged. */
  #noteEnd(key: KeyJournal, write: WriteEntry, ended: Ended<WriteOutcome>): void {
    const isFirst = write.fate === "pending";
    if (write.fate !== "acknowledged") write.ended = this.#cluster.simulation.now;
    if (ended.kind === "answered" && ended.outcome.kind === "written") {
      this.#acknowledged(key, write, ended.outcome);
    } else if (write.fate !== "acknowledged") {
      const failure = ended.kind === "answered" && ended.outcome.kind === "failure" ? ended.outcome : undefined;
      const isRefused = failure !== undefined && failure.outcome !== "unknown";
      write.fate = isRefused && (isFirst || write.fate === "refused") ? "refused" : "unknown";
      write.why = failure?.code ?? "no answer";
    }
  }

  /** Law: the context a write answers with holds its own dot and what its client had seen, nothing else. */
  #acknowledged(key: KeyJournal, write: WriteEntry, written: Written): void {
    const dots = dotsOfToken(written.context);
    const fresh = dotsBeyond(dots, write.seen);
    const coversSeen = covers(dots, write.seen);
    if (fresh.length !== 1 || !(coversSeen || mayPrune(this.#cluster.plan))) {
      const what = `write ${write.number} of ${key.bucket}/${key.key} had seen ${describeSet(write.seen)} and was answered with ${describeSet(dots)}`;
      this.#cluster.simulation.violate("a write's context", `${what}\n${key.story()}`);
      return;
    }
    const dot = fresh[0] as Dot;
    this.#journal.named(key, dot, write, `by the answer of ${write.node}`);
    this.#promised(key, `write ${write.number}`, write.began, written.voices, write.owners);
    this.#zonesHold(key, write, dot);
    if (write.fate !== "acknowledged") {
      write.voices = written.voices;
      write.seats = written.seats;
      write.fate = "acknowledged";
      write.dot = dot;
      write.time = dots.find(({ actor, to }) => actor === dot.actor && to === dot.counter)?.time;
    }
    this.#remember(key, { token: written.context, dots });
  }

  /** Law: what owners alone can answer was not answered by stand-ins. */
  #promised(key: KeyJournal, what: string, began: number, voices: number, owners: number): void {
    const { fewest } = this.#cluster;
    fewest.look();
    // Where members are fewer, or were when it began, so are the owners that are asked for.
    if (voices >= Math.min(owners, fewest.since(began))) return;
    const told = `${what} of ${key.bucket}/${key.key} needed ${owners} owners and was answered with ${voices} voices`;
    this.#cluster.simulation.violate("owners answer", `${told}\n${key.story()}`);
  }

  /** Law: what was to be answered from several zones was. */
  #fromZones(key: KeyJournal, what: string, zones: number, asked: number): void {
    this.#cluster.zones.answered++;
    if (zones >= asked) return;
    const told = `${what} of ${key.bucket}/${key.key} asked for ${asked} zones and was answered from ${zones}`;
    this.#cluster.simulation.violate("zones answer", `${told}\n${key.story()}`);
  }

  /** Seen on disks: not where others may have replaced it there already, or it is to be pruned. */
  #zonesHold(key: KeyJournal, write: WriteEntry, dot: Dot): void {
    const { simulation, plan, damage, zones } = this.#cluster;
    if (write.zones === 1 || !write.synced || key.isLastWriteWins || mayPrune(plan)) return;
    if (damage.machinesHit(write.began, simulation.now, true) > 0) return;
    this.#fromZones(key, `write ${write.number}`, zones.holding(key, dot, write.began), write.zones);
  }

  /** Mostly one; two where the cluster has them, and keys are on two nodes. */
  #drawZones({ settings }: KeyJournal): number {
    return this.#cluster.plan.zones > 1 && settings.n > 1 && this.#zonePrng.chance(0.1) ? 2 : 1;
  }

  async #writeWithForeignContext(member: SimMember, key: KeyJournal): Promise<void> {
    const others = [...this.#known].filter(([other, known]) => other !== key && known.length > 0);
    if (others.length === 0) return;
    const known = this.#any(this.#prng.pick(others)[1]);
    if (known === undefined) return;
    const { bucket, key: name } = key;
    const ended = await callNode<WriteOutcome>(this.#cluster, member, (node) =>
      node.delete({ bucket, key: name, context: known.token }),
    );
    if (ended.kind === "answered" && ended.outcome.kind === "written") {
      this.#cluster.simulation.violate("foreign contexts are refused", `${bucket}/${name} took another key's context`);
    }
  }

  #saw(
    key: KeyJournal,
    found: GetFound,
    call: Pick<ReadEntry, "began" | "answers" | "voices" | "seats" | "node">,
  ): ReadEntry {
    const { simulation } = this.#cluster;
    const context = found.context === undefined ? emptyDotSet : dotsOfToken(found.context);
    const read: ReadEntry = {
      number: this.#journal.nextNumber(),
      client: this.name,
      ...call,
      ended: simulation.now,
      context,
      isLast: false,
      shown: found.versions.flatMap(({ value, dot: name }) => {
        const write = this.#writeIn(key, value);
        const dot = parseDot(name);
        if (write === undefined) {
          const what = `${call.node} showed ${JSON.stringify(decoder.decode(value).slice(0, 40))} in ${key.bucket}/${key.key}, which nobody wrote there`;
          simulation.violate("integrity", `${what}\n${key.story()}`);
          return [];
        }
        this.#journal.named(key, dot, write, `in a read at ${call.node}`);
        return [{ write, dot }];
      }),
    };
    key.reads.push(read);
    if (found.context !== undefined) this.#remember(key, { token: found.context, dots: context });
    return read;
  }

  /** The write whose value this is, to the byte. */
  #writeIn(key: KeyJournal, value: Uint8Array): WriteEntry | undefined {
    const number = Number.parseInt(decoder.decode(value.subarray(0, 12)), 10);
    const write = this.#journal.writeOf(key, number);
    if (write === undefined) return undefined;
    const expected = valueBytesOf(write, this.#cluster.plan.valueBytes);
    return expected.length === value.length && expected.every((byte, i) => byte === value[i]) ? write : undefined;
  }

  #remember(key: KeyJournal, known: Known): void {
    for (const store of [this.#known, this.#shared]) {
      const list = store.get(key);
      if (list === undefined) store.set(key, [known]);
      else {
        list.push(known);
        if (list.length > mostKnown) list.splice(this.#prng.below(mostKnown), 1);
      }
    }
  }

  #any(known: readonly Known[] | undefined): Known | undefined {
    return known === undefined || known.length === 0 ? undefined : this.#prng.pick(known);
  }

  #pickMember(): SimMember | undefined {
    const alive = this.#cluster.everyone.filter((member) => member.node !== undefined);
    return alive.length === 0 ? undefined : this.#prng.pick(alive);
  }

  #pickKey(): KeyJournal {
    const { plan } = this.#cluster;
    const { name } = this.#prng.pick(plan.buckets);
    const hot = Math.floor(this.#prng.skewed(0, plan.keysPerBucket));
    const settings = this.#settings.get(name);
    if (settings === undefined) throw new Error(`bucket ${name} has no settings`);
    return this.#journal.key(name, `k${hot}`, settings);
  }
}

/** A write's value: its number, and as much filling as the number says. */
function valueBytesOf(write: WriteEntry, mostBytes: number): Uint8Array {
  const filling = (write.number * 2_654_435_761) % (write.number % 4 === 0 ? mostBytes : Math.min(mostBytes, 64));
  return encoder.encode(`${write.number} ${"x".repeat(filling)}`);
}

function parseDot(name: string): Dot {
  const at = name.lastIndexOf(":");
  return { actor: name.slice(0, at) as Dot["actor"], counter: Number(name.slice(at + 1)) };
}

function dotsBeyond(set: DotSet, other: DotSet): Dot[] {
  if (dotCount(set) > dotCount(other) + 100) return [];
  const beyond: Dot[] = [];
  for (const { actor, from, to } of set) {
    for (let counter = from; counter <= to; counter++)
      if (!holds(other, { actor, counter })) beyond.push({ actor, counter });
  }
  return beyond;
}
