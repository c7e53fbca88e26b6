/**
 * Whether this node's directory may be an older copy of itself (a restored backup, say), and nobody has been there yet who
 * could tell. A member asks all others at its start what they have seen of it (`stamps.ts`); one that nobody answers
 * goes on in doubt.
 *
 * The strict way is to say nothing before somebody has answered. But one that is cut off must go on for its clients, and
 * alone it stands in nobody's way: what it says rests on itself. So in doubt it serves them as long as it is alone. To
 * others it says nothing, and gives them nothing, of what it holds. With the first of them that is there it stops serving,
 * until those who are there have answered: a question and its answer. If one of them knows more of it, it ends.
 *
 * It cannot see that it is an older copy before it meets somebody who has seen more of it.
 */

import type { NodeId } from "../core/ids.ts";
import { Pause } from "../runtime/pause.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import type { FailureDetector } from "./failure-detector.ts";
import type { Gossip } from "./gossip.ts";
import type { Membership } from "./membership.ts";

/** Who was there and did not answer is asked again after so long, in ms. */
const retryMs = 100;

export interface DoubtParts {
  readonly runtime: Runtime;
  readonly membership: Pick<Membership, "self" | "ring" | "isOutdated">;
  readonly gossip: Pick<Gossip, "ask" | "hasHeard">;
  readonly detector: Pick<FailureDetector, "isUp" | "onUp">;
}

export class Doubt {
  readonly #parts: DoubtParts;
  readonly #tasks: TaskGroup;
  readonly #pause: Pause;
  #isThere = false;
  #isAsking = false;

  constructor(parts: DoubtParts) {
    const { runtime, detector } = parts;
    this.#parts = parts;
    this.#tasks = new TaskGroup(runtime.log);
    this.#pause = new Pause(runtime.clock);
    detector.onUp(() => this.#askSoon());
  }

  /** Nobody has answered this node's question. */
  begin(): void {
    this.#isThere = true;
    this.#parts.runtime.log.warn("nobody can be asked whether this directory is an older copy: serving while alone");
    this.#askSoon();
  }

  stop(): Promise<void> {
    this.#isThere = false;
    this.#pause.end();
    return this.#tasks.close();
  }

  /** Whether others must hear nothing of what this node holds. */
  get isThere(): boolean {
    return this.#isThere;
  }

  /** Whether nobody must: somebody is there who may know better. Asked for with every request. */
  get forbidsServing(): boolean {
    return this.#isThere && this.#present().length > 0;
  }

  #present(): readonly NodeId[] {
    const { membership, detector } = this.#parts;
    return [...membership.ring.members.keys()].filter((node) => node !== membership.self && detector.isUp(node));
  }

  #askSoon(): void {
    if (!this.#isThere || this.#isAsking) return;
    this.#isAsking = true;
    this.#tasks.run("asking what others know of this node", () => this.#ask());
  }

  async #ask(): Promise<void> {
    const { membership, gossip } = this.#parts;
    for (let present = this.#present(); this.#isThere && present.length > 0; present = this.#present()) {
      const hasAnswered = (await gossip.ask(present)) || gossip.hasHeard;
      // One that knows better ends this node.
      if (membership.isOutdated) break;
      if (hasAnswered) this.#isThere = false;
      else await this.#pause.wait(retryMs);
    }
    this.#isAsking = false;
  }
}
