/**
 * Changes of a bucket's n while no data moves for their sake.
 *
 * A new owner answers "nothing" for keys that older owners hold, so a change may take effect only where there is
 * nothing to hold. Its sponsor asks every member to vouch for that and to promise to keep it so (`pledge.ts`). Once
 * all have, it writes the event to its own history: that is the moment of decision, durable and never taken back. Any
 * refusal or silence before, and the sponsor forgets the attempt, which decides against it. Either way it tells all;
 * who does not hear asks it, again and again, since no one else knows.
 *
 * A sponsor that restarted remembers no attempt and will never decide one it does not remember: it answers `aborted`,
 * and the asker takes over the sponsor's whole history before it believes that, since the event may be in it.
 *
 * Two sponsors at once: both ask the member with the lowest id first, and the one that it turns down gives up before
 * it has bothered anybody else.
 *
 * Invariant: an event with a promise behind it enters a history only while every member's promise stands.
 */

import type { NodeId } from "../core/ids.ts";
import type { EventDraft, HistoryEvent } from "../core/membership/event.ts";
import { digestOf, type HistoryDigest, missingFrom, sameDigest } from "../core/membership/history.ts";
import { placementTime } from "../core/ring/ring.ts";
import { Backoff } from "../runtime/backoff.ts";
import { Pause } from "../runtime/pause.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { Ticker } from "../runtime/ticker.ts";
import { TurnTaking } from "../runtime/turn-taking.ts";
import type { Answer, ChangeInquiry, ChangeOutcome, PrepareChange } from "../wire/message.ts";
import type { Gossip } from "./gossip.ts";
import { type MemberCalls, refuse } from "./member-calls.ts";
import type { Membership } from "./membership.ts";
import { toHex } from "./membership-store.ts";
import { type Pledge, type Promised, releaseChange } from "./pledge.ts";

export type ChangeResult =
  | { readonly kind: "committed"; readonly event: HistoryEvent }
  /** `holds-data` will not pass by itself; the other reasons may. */
  | { readonly kind: "refused"; readonly why: "holds-data" | "unreachable" | "busy"; readonly detail: string };

/** How long a member may take to vouch, in ms. */
const prepareTimeoutMs = 5000;
/** How long to wait for a member to confirm that it heard of an outcome, in ms. */
const outcomeTimeoutMs = 1000;
/** Mean time between a pledged member's questions, in ms. */
const inquiryEveryMs = 1000;
/** Attempts whose outcome a sponsor remembers. */
const rememberedAttempts = 256;

interface Attempt {
  readonly base: HistoryDigest;
  outcome: "undecided" | "committed" | "aborted";
}

export class PlacementChange {
  readonly #runtime: Runtime;
  readonly #membership: Membership;
  readonly #calls: MemberCalls;
  readonly #gossip: Gossip;
  readonly #pledge: Pledge;
  readonly #turns: TurnTaking = new TurnTaking();
  readonly #tasks: TaskGroup;
  readonly #inquiries: Ticker;
  readonly #pause: Pause;
  #isStopped = false;
  /** What this node sponsored since it started, the oldest first. */
  readonly #attempts: Map<string, Attempt> = new Map();

  constructor(runtime: Runtime, membership: Membership, calls: MemberCalls, gossip: Gossip, pledge: Pledge) {
    this.#runtime = runtime;
    this.#membership = membership;
    this.#calls = calls;
    this.#gossip = gossip;
    this.#pledge = pledge;
    this.#pause = new Pause(runtime.clock);
    this.#tasks = new TaskGroup(runtime.log);
    const { clock, random, log } = runtime;
    const round = (): Promise<void> => this.#inquire();
    this.#inquiries = new Ticker({ name: "inquiry", clock, random, log, everyMs: inquiryEveryMs, round });
    membership.onChange(({ history }) => {
      if (history) this.#tasks.run("ending a promise", () => this.#endIfDecided());
    });
  }

  /** For members, once the pledge is open. */
  start(): void {
    this.#inquiries.start();
    this.#tasks.run("ending a promise", () => this.#endIfDecided());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pause.end();
    await this.#inquiries.stop();
    await this.#tasks.close();
  }

  /** Attempts that wait or are under way here. */
  get waiting(): number {
    return this.#turns.size;
  }

  /**
   * Makes the change, if every member vouches that it holds nothing of `emptyBucket`, or nothing at all where that is
   * undefined. `draft` is asked for the event when it is this change's turn, and may say why it is not to be made.
   */
  propose(draft: () => EventDraft | ChangeResult, emptyBucket?: string): Promise<ChangeResult> {
    return this.#turns.run(async () => {
      const drafted = draft();
      return drafted.kind === "refused" || drafted.kind === "committed" ? drafted : this.#attempt(drafted, emptyBucket);
    });
  }

  async #attempt(draft: EventDraft, emptyBucket: string | undefined): Promise<ChangeResult> {
    const { self, ring, history } = this.#membership;
    const name = toHex(this.#runtime.random.bytes(8));
    const attempt: Attempt = { base: digestOf(history), outcome: "undecided" };
    this.#rememberAttempt(name, attempt);
    const prepare: PrepareChange = {
      kind: "prepare-change",
      id: 0,
      attempt: name,
      sponsor: self,
      history: attempt.base,
      ...(emptyBucket === undefined ? {} : { emptyBucket }),
    };
    const asked: NodeId[] = [];
    const vouch = async (node: NodeId): Promise<ChangeResult | undefined> => {
      asked.push(node);
      return this.#refusalOf(node, await this.#ask(node, prepare));
    };
    const [arbiter, ...others] = [...ring.members.keys()].sort();
    let refusal = arbiter === undefined ? undefined : await vouch(arbiter);
    if (refusal === undefined) {
      const refusals = (await Promise.all(others.map(vouch))).filter((result) => result !== undefined);
      refusal = refusals.find((result) => result.kind === "refused" && result.why === "holds-data") ?? refusals[0];
    }
    if (refusal !== undefined) {
      attempt.outcome = "aborted";
      await this.#tell(asked, name, attempt);
      return refusal;
    }
    return this.#commit(draft, name, attempt);
  }

  #ask(node: NodeId, prepare: PrepareChange): ReturnType<MemberCalls["ask"]> {
    if (node === this.#membership.self) return this.handlePrepare(prepare);
    return this.#calls.ask(node, prepare, prepareTimeoutMs);
  }

  #refusalOf(node: NodeId, answer: Awaited<ReturnType<MemberCalls["ask"]>>): ChangeResult | undefined {
    if (answer.kind === "done") return undefined;
    const name = this.#membership.ring.members.get(node)?.name ?? node;
    if (answer.kind !== "refusal") {
      return { kind: "refused", why: "unreachable", detail: `every member must agree, and ${name} does not answer` };
    }
    if (answer.code === "stale-ring") this.#gossip.gossipNow(node);
    const why = answer.code === "join-refused" ? "holds-data" : "busy";
    return { kind: "refused", why, detail: answer.detail };
  }

  /**
   * Writes the event, and with it the end of this node's own promise. Where the disk fails nobody knows whether the
   * event is on it, so the same event is written again until the disk takes it: to forget it could lose the decision.
   */
  async #commit(draft: EventDraft, name: string, attempt: Attempt): Promise<ChangeResult> {
    const backoff = new Backoff(this.#runtime.random, { firstMs: 50, longestMs: 5000 });
    const isPromised = (): boolean => this.#pledge.promised?.attempt === name;
    for (;;) {
      try {
        const event = await this.#membership.append(draft, isPromised, [releaseChange]);
        attempt.outcome = event === undefined ? "aborted" : "committed";
        this.#pledge.ended(name);
        await this.#tell([...this.#membership.ring.members.keys()], name, attempt);
        if (event !== undefined) return { kind: "committed", event };
        return { kind: "refused", why: "busy", detail: "the sponsor's own promise ended first; try again" };
      } catch (error) {
        this.#runtime.log.error("cannot store a membership change; trying again", { error: String(error) });
        await this.#pause.wait(backoff.next());
        if (this.#isStopped) throw error;
      }
    }
  }

  /** Tells the members, those that were asked, and waits a little for them to have heard. */
  async #tell(nodes: readonly NodeId[], name: string, attempt: Attempt): Promise<void> {
    const outcome = this.#outcomeOf(0, name, attempt);
    await Promise.all(
      nodes.map(async (node) => {
        if (node === this.#membership.self) await this.#pledge.end(name);
        else await this.#calls.ask(node, outcome, outcomeTimeoutMs);
      }),
    );
  }

  #outcomeOf(id: number, name: string, attempt: Attempt | undefined): ChangeOutcome {
    const outcome = attempt?.outcome ?? "aborted";
    const isCommitted = attempt !== undefined && outcome === "committed";
    const events = isCommitted ? missingFrom(this.#membership.history, attempt.base) : [];
    return { kind: "change-outcome", id, attempt: name, outcome, events };
  }

  /** A sponsor asks this member to vouch and promise. Answers `done` once the promise is on disk. */
  async handlePrepare(request: PrepareChange): Promise<Answer> {
    const { id, attempt, sponsor, emptyBucket: bucket } = request;
    const { ringVersion, name } = this.#membership;
    if (!this.#membership.isMember || this.#membership.isReplaced) {
      return refuse(id, ringVersion, "not-ready", `${name} is no member`);
    }
    if (!sameDigest(digestOf(this.#membership.history), request.history)) {
      this.#gossip.gossipNow(sponsor);
      return refuse(id, ringVersion, "stale-ring", `${name} knows another history than its sponsor; try again`);
    }
    try {
      const sponsorIncarnation = this.#membership.ring.members.get(sponsor)?.incarnation;
      if (sponsorIncarnation === undefined)
        return refuse(id, ringVersion, "not-ready", `${name} does not know its sponsor`);
      const vouched = await this.#pledge.make({ attempt, sponsor, sponsorIncarnation, bucket, ringVersion });
      switch (vouched) {
        case "promised":
          return { kind: "done", id };
        case "busy":
          return refuse(id, ringVersion, "not-ready", `${name} waits for another membership change; try again`);
        case "over":
          return refuse(id, ringVersion, "not-ready", `attempt ${attempt} is over`);
        case "holds-data":
          return refuse(id, ringVersion, "join-refused", holdsData(bucket, name));
      }
    } catch (error) {
      return refuse(id, ringVersion, "storage-failed", `${name} cannot store its promise: ${String(error)}`);
    }
  }

  /** A pledged member asks what became of an attempt of this node's. */
  handleInquiry(request: ChangeInquiry): ChangeOutcome {
    return this.#outcomeOf(request.id, request.attempt, this.#attempts.get(request.attempt));
  }

  /** A sponsor says what became of its attempt. */
  async handleOutcome(request: ChangeOutcome): Promise<Answer> {
    const { id, attempt, outcome, events } = request;
    const { ringVersion } = this.#membership;
    if (outcome === "committed") {
      const absorbed = await this.#membership.absorb(events, []);
      if (absorbed.kind === "invalid") return refuse(id, ringVersion, "bad-request", absorbed.why);
      await this.#endIfDecided();
    } else if (outcome === "aborted") await this.#pledge.end(attempt);
    return { kind: "done", id };
  }

  /** Asks the sponsor of the promise that stands, if one does. */
  async #inquire(): Promise<void> {
    const promised = this.#pledge.promised;
    if (promised === undefined) return;
    const { attempt, sponsor, sponsorIncarnation } = promised;
    const isSameDisk = (): boolean => this.#membership.ring.members.get(sponsor)?.incarnation === sponsorIncarnation;
    if (!isSameDisk()) {
      // What it decided may be known to the joiner alone, and nobody can say that it is not.
      const detail = "waits for a membership change whose sponsor lost its disk; only its old disk can decide it";
      this.#runtime.log.warn(detail, { attempt, sponsor });
      return;
    }
    if (sponsor === this.#membership.self) {
      // Sponsored by the process before this one: what that one decided is on this disk.
      if (!this.#attempts.has(attempt)) await this.#pledge.end(attempt);
      return;
    }
    const answer = await this.#calls.ask(sponsor, { kind: "change-inquiry", id: 0, attempt }, inquiryEveryMs);
    if (answer.kind !== "change-outcome" || answer.attempt !== attempt || answer.outcome === "undecided") return;
    if (answer.outcome === "committed") await this.handleOutcome(answer);
    // Who answers may have taken the sponsor's place: after the exchange that is known here, too.
    else if ((await this.#gossip.exchange(sponsor)) && isSameDisk()) await this.#pledge.end(attempt);
  }

  /**
   * A promise ends when a ring newer than the one it is about is known that rests on every member's word: either it
   * is the attempt's own, or the attempt can no longer get this node's.
   */
  async #endIfDecided(): Promise<void> {
    const promised = this.#pledge.promised;
    if (promised !== undefined && this.#isDecided(promised)) await this.#pledge.end(promised.attempt);
  }

  #isDecided({ ringVersion, sponsor }: Promised): boolean {
    return this.#membership.history.some((event) => {
      if (event.lamport <= placementTime(ringVersion) || event.author !== sponsor) return false;
      return event.kind === "join" ? event.founding : event.kind === "bucket" && event.change.n !== undefined;
    });
  }

  #rememberAttempt(name: string, attempt: Attempt): void {
    this.#attempts.set(name, attempt);
    for (const [oldest, { outcome }] of this.#attempts) {
      if (this.#attempts.size <= rememberedAttempts) break;
      if (outcome !== "undecided") this.#attempts.delete(oldest);
    }
  }
}

function holdsData(bucket: string | undefined, name: string): string {
  const what = bucket === undefined ? "the cluster already holds data" : `bucket "${bucket}" already holds data`;
  const which = bucket === undefined ? "to a new node" : "to new owners";
  return `${what} (on ${name}), and this version cannot move data ${which} yet`;
}
