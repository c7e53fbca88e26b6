/**
 * Whether the other side of one connection is taken to be alive (§4.8.3), decided on what was heard of it and when.
 *
 * TCP tells of a process that died, not of one that is stopped, of a machine without power, or of a way that swallows
 * packets: there the connection is merely silent, and so is one to a replica that waits for a slow disk. So silence is
 * answered by a question that costs its reader nothing, a ping, and only silence after that is held against it. The
 * first byte of anything clears it.
 *
 * How long an answer may take is learned from those before, within bounds: where round trips are long, or a side was
 * suspected wrongly just now, more time is given.
 *
 * Time is counted in the looks taken, each for no more than it was meant to span: a process that was itself stopped,
 * or too busy to look, does not blame others for the time it missed.
 *
 * Invariant: a suspicion falls only after a ping, or the dial itself, went unanswered for `leastAnswerMs` of that time.
 */

/** Calls wait and nothing came for so long: time to ask, in ms. */
const askAfterMs = 200;
/** Nobody waits, and nothing came for so long: the same, so that a request does not have to find it out, in ms. */
const idleMs = 500;
/** How long the answer to a ping, or anything else, may take to come, in ms: at least, and at most. */
const leastAnswerMs = 300;
const mostAnswerMs = 1200;
/** The longest that an answer took, lately, is given so many times over. */
const margin = 2;
/** That is forgotten at this rate, in ms each ms: from the most to the least in half a minute. */
const forgottenMs = 0.03;
/**
 * A suspected connection is given up after so long and made anew: TCP repeats what was lost at intervals that double,
 * and a new connection's first packet is heard sooner once the way is open again. In ms.
 */
const giveUpMs = 2000;

/** What the connection looks like now. */
export interface Look {
  readonly nowMs: number;
  /** Time since the last look, as far as this process was there to listen. */
  readonly awakeMs: number;
  /** When the last byte came. */
  readonly heardMs: number;
  /** Calls wait for an answer. */
  readonly isWaiting: boolean;
}

/** What to do: nothing, ask whether it lives, take it for down, or give the connection up. */
export type Finding = "well" | "ask" | "suspect" | "give-up";

export class Suspicion {
  #stage: "well" | "asked" | "suspected";
  /** How long it has been in this stage, in ms awake. */
  #forMs = 0;
  #heardMs: number;
  #answerMs = leastAnswerMs;

  /** `isSuspected`: nothing is believed of this connection before something comes over it. */
  constructor(heardMs: number, isSuspected: boolean) {
    this.#heardMs = heardMs;
    this.#stage = isSuspected ? "suspected" : "well";
  }

  get isSuspected(): boolean {
    return this.#stage === "suspected";
  }

  /** Something came, or is on its way out and not stuck. */
  clear(): void {
    if (this.#stage === "suspected") this.#learn(this.#answerMs + this.#forMs);
    this.#stage = "well";
    this.#forMs = 0;
  }

  /** The connection is being made, which asks no less than a ping. */
  lookAtDial(look: Look): Finding {
    this.#forMs += look.awakeMs;
    if (this.#stage === "suspected" || !look.isWaiting || this.#forMs < askAfterMs + leastAnswerMs) return "well";
    return this.#enter("suspected", "suspect");
  }

  /** The connection stands. */
  look({ nowMs, awakeMs, heardMs, isWaiting }: Look): Finding {
    this.#forMs += awakeMs;
    this.#answerMs = Math.max(leastAnswerMs, this.#answerMs - awakeMs * forgottenMs);
    if (heardMs !== this.#heardMs) {
      this.#heardMs = heardMs;
      this.#answered();
    }
    switch (this.#stage) {
      case "well":
        return nowMs - heardMs < (isWaiting ? askAfterMs : idleMs) ? "well" : this.#enter("asked", "ask");
      case "asked":
        return this.#forMs < this.#answerMs ? "well" : this.#enter("suspected", "suspect");
      case "suspected":
        return this.#forMs < giveUpMs ? "well" : "give-up";
    }
  }

  #answered(): void {
    if (this.#stage === "asked") this.#learn(this.#forMs);
    this.clear();
  }

  #learn(tookMs: number): void {
    this.#answerMs = Math.min(mostAnswerMs, Math.max(this.#answerMs, margin * tookMs));
  }

  #enter(stage: "asked" | "suspected", finding: Finding): Finding {
    this.#stage = stage;
    this.#forMs = 0;
    return finding;
  }
}
