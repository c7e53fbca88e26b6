/**
 * Transfers as people read them. What a number of seats and bytes means is said with it: of so many, at this rate, so
 * long to go; and a thing that cannot be known yet is a question mark, never a guess.
 */

import type { TransfersView, TransferView } from "../node/api.ts";
import { inBytes, inTime } from "./hints-command.ts";
import { table } from "./table.ts";

/** What the members of a cluster say. */
export interface ToldTransfers {
  /** Seats that are not where they shall be, as the asked node knows. */
  readonly pending: number;
  readonly members: readonly ({ readonly name: string } & TransfersView)[];
  /** Members that did not answer. */
  readonly silent: readonly { readonly name: string; readonly why: string }[];
}

/** All of it; `isEach` gives every seat its line, otherwise seats that are in the same state share one. */
export function transfersText({ pending, members, silent }: ToldTransfers, isEach: boolean): string {
  const lines = members.flatMap((member) => takenLine(member) ?? []);
  const missing = silent.map(({ name, why }) => `${name} did not say what it does: ${why}`);
  const transfers = members.flatMap((member) => member.transfers);
  const head = [...lines, ...missing].map((line) => `${line}\n`).join("");
  return `${totalLine(pending, members)}\n${head}${transfers.length === 0 ? "" : `\n${rowsOf(transfers, isEach)}`}`;
}

function totalLine(pending: number, members: ToldTransfers["members"]): string {
  if (pending === 0) {
    const isBusy = members.some(({ transfers }) => transfers.length > 0);
    return isBusy
      ? "every seat is where it shall be; copies are still cleared away"
      : "every seat is where it shall be";
  }
  const coming = members.flatMap(({ transfers }) => transfers.filter(isTaken));
  const sum = addUp(coming);
  const rate = members.reduce((all, { bytesPerSecond }) => all + bytesPerSecond, 0);
  const left = sum.isKnown
    ? `${inBytes(sum.bytesInAll - sum.bytes)} to copy`
    : `more than ${inBytes(sum.bytesInAll - sum.bytes)} to copy`;
  const seats =
    pending === 1 ? "1 seat of the cluster is on its way" : `${pending} seats of the cluster are on their way`;
  return `${seats}, ${left}, ${inBytes(rate)}/s, ${timeLeftOf(coming, rate)} left`;
}

/** How far a member is with all it takes. */
function takenLine({
  name,
  taken,
  transfers,
  bytesPerSecond,
  limitBytesPerSecond,
}: ToldTransfers["members"][number]): string | undefined {
  if (taken === undefined) return undefined;
  const coming = transfers.filter(isTaken);
  if (coming.length === 0) {
    const seats = taken.seats === 1 ? "1 seat" : `${taken.seats} seats`;
    return `${name} took ${seats} with ${taken.keys} keys, ${inBytes(taken.bytes)}, in ${inTime(taken.tookMs)}`;
  }
  const sum = addUp(coming);
  const here = taken.bytes + sum.bytes;
  const inAll = sum.isKnown ? inBytes(taken.bytes + sum.bytesInAll) : "?";
  const share =
    sum.isKnown && taken.bytes + sum.bytesInAll > 0
      ? ` (${Math.floor((100 * here) / (taken.bytes + sum.bytesInAll))} %)`
      : "";
  const rate = `${inBytes(bytesPerSecond)}/s, at most ${inBytes(limitBytesPerSecond)}/s`;
  return [
    `${name} takes seats: ${taken.seats} of ${taken.seats + coming.length} done, ${inBytes(here)} of ${inAll}${share}`,
    `${rate}, ${timeLeftOf(coming, bytesPerSecond)} left`,
  ].join(", ");
}

interface Sum {
  readonly keys: number;
  readonly bytes: number;
  readonly keysInAll: number;
  readonly bytesInAll: number;
  /** Whether of every one of them it is known how much it is. */
  readonly isKnown: boolean;
}

/** More may be here than was there when the others were asked: then as much is to come as is here. */
function addUp(transfers: readonly TransferView[]): Sum {
  let sum: Sum = { keys: 0, bytes: 0, keysInAll: 0, bytesInAll: 0, isKnown: true };
  for (const { keys, bytes, keysInAll, bytesInAll } of transfers) {
    sum = {
      keys: sum.keys + keys,
      bytes: sum.bytes + bytes,
      keysInAll: sum.keysInAll + Math.max(keys, keysInAll ?? 0),
      bytesInAll: sum.bytesInAll + Math.max(bytes, bytesInAll ?? 0),
      isKnown: sum.isKnown && bytesInAll !== undefined,
    };
  }
  return sum;
}

/** The rate is what has just been copied: it says nothing of when seats come that all wait for another member. */
function timeLeftOf(coming: readonly TransferView[], bytesPerSecond: number): string {
  const isStuck = coming.length > 0 && coming.every(({ running, waitsFor }) => !running && waitsFor !== "");
  return isStuck ? "?" : timeLeft(addUp(coming), bytesPerSecond);
}

function timeLeft({ bytes, bytesInAll, isKnown }: Sum, bytesPerSecond: number): string {
  if (!isKnown || (bytesPerSecond === 0 && bytesInAll > bytes)) return "?";
  return bytesInAll === bytes ? "0 s" : inTime(((bytesInAll - bytes) * 1000) / bytesPerSecond);
}

function rowsOf(transfers: readonly TransferView[], isEach: boolean): string {
  const groups = new Map<string, TransferView[]>();
  for (const transfer of transfers) {
    const { partition, kind, from, to } = transfer;
    const name = isEach ? `${partition} ${kind} ${to}` : `${kind} ${from} ${to} ${stateOf(transfer)}`;
    groups.set(name, [...(groups.get(name) ?? []), transfer]);
  }
  const head = ["WHAT", "FROM", "TO", isEach ? "PARTITION/SEAT" : "SEATS", "KEYS", "SIZE", "RATE", "LEFT", "STATE"];
  return table([head, ...[...groups.values()].map((group) => rowOf(group, isEach))], [3, 4, 5, 6, 7]);
}

function rowOf(group: readonly TransferView[], isEach: boolean): readonly string[] {
  const [first] = group as [TransferView];
  const sum = addUp(group);
  const place = isEach ? `${first.partition}/${first.seat ?? "-"}` : String(group.length);
  const others = isTaken(first) ? "all others" : "nobody";
  const names = [
    first.kind,
    first.from || others,
    first.to || (first.kind === "drop" ? "nobody" : "all others"),
    place,
  ];
  if (!isTaken(first)) return [...names, String(sum.keys), inBytes(sum.bytes), "-", "-", stateOf(first)];
  const rate = first.running
    ? group.reduce((all, { bytesReceived, ageMs }) => all + (bytesReceived * 1000) / Math.max(1, ageMs), 0)
    : 0;
  const keys = `${sum.keys} of ${sum.isKnown ? sum.keysInAll : "?"}`;
  const size = `${inBytes(sum.bytes)} of ${sum.isKnown ? inBytes(sum.bytesInAll) : "?"}`;
  const rateShown = first.running ? `${inBytes(Math.round(rate))}/s` : "-";
  // While nothing has come, what was said to compare is no speed.
  const left = sum.bytes === 0 && sum.bytesInAll > 0 ? "?" : timeLeft(sum, rate);
  return [...names, keys, size, rateShown, first.running ? left : "-", stateOf(first)];
}

/** What it does, or why it does nothing. */
function stateOf({ running, why, waitsFor }: TransferView): string {
  if (running) return "goes on";
  if (why === "") return "comes next";
  return waitsFor === "" ? why : `${waitsFor}: ${why}`;
}

/** Whether it brings a seat. */
function isTaken({ kind }: TransferView): boolean {
  return kind === "hand-over" || kind === "rebuild";
}
