/** What nodes say to each other before they forget: `node/reaper.ts` says what it means. A part of `message.ts`. */

import type { ListedKey } from "./exchange-message.ts";

/** What speaks against forgetting what a key's state has seen, as one member knows it. */
export type ForgettingView =
  | "ready" // nothing does
  | "watched" // an owner holds that state, but has not yet held it unchanged and on disk for the grace time
  | "kept" // it holds, or held a while ago, a hint for the key, or a copy of a key it does not own
  | "other-state"
  | "no-voice"
  | "busy"; // an owner watches as many keys as it can

/** Asks what speaks against forgetting these keys' pasts, and has owners watch them. Answered with `forgetting-views`. */
export interface AskForgetting {
  readonly kind: "ask-forgetting";
  readonly id: number;
  readonly ringVersion: number;
  readonly keys: readonly ListedKey[];
}

/** In the order of the keys asked for. */
export interface ForgettingViews {
  readonly kind: "forgetting-views";
  readonly id: number;
  readonly views: readonly ForgettingView[];
}

/** Has an owner forget what these states have seen, where it holds them still. Answered with `done`. */
export interface Forget {
  readonly kind: "forget";
  readonly id: number;
  readonly ringVersion: number;
  readonly keys: readonly ListedKey[];
}
