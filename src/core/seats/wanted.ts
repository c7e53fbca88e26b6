/**
 * Which seat a node should take, given who shall be an owner and who holds what.
 *
 * The ring says who the owners shall be, and a seat's number there is a wish: an owner that holds a seat of the
 * partition keeps that one, whatever its number. Otherwise two owners that the ring tells to change places would each
 * wait for the other, since a node holds one seat of a partition at most. Owners without a seat take the seats whose
 * holders are no owners: their own number's if that is free, else by rank. As nodes come to know the same, they come to
 * want different seats.
 */

import type { NodeId } from "../ids.ts";
import { isVacant, type KnownSeats, knownSeat } from "./known.ts";
import type { Hold } from "./record.ts";

/** The seat that this node should take, or undefined: it holds one, or none is for it. `owners` is by seat. */
export function seatToTake(self: NodeId, hold: Hold, owners: readonly NodeId[], known: KnownSeats): number | undefined {
  if (hold.kind === "sealed" || hold.kind === "rebuilding") return undefined;
  // An active holder whose seat others have fenced speaks to half of them: it must rebuild its own, even to hand it over.
  if (hold.kind === "active") return knownSeat(known, hold.seat).fence > hold.epoch ? hold.seat : undefined;
  if (!owners.includes(self)) return undefined;
  const keepers = owners.map((_, seat) => knownSeat(known, seat).holder);
  const seated = new Set(keepers.filter((node) => node !== undefined && node !== self && owners.includes(node)));
  const free = owners.flatMap((_, seat) => (seated.has(keepers[seat]) ? [] : [seat]));
  const wished = owners.indexOf(self);
  if (free.includes(wished)) return wished;
  const isOwnersWish = (seat: number): boolean => !seated.has(owners[seat]);
  const left = free.filter((seat) => !isOwnersWish(seat));
  const others = owners.filter((node, seat) => !seated.has(node) && !free.includes(seat));
  return left[others.indexOf(self)];
}

/** The owners that hold no seat. */
export function unseated(owners: readonly NodeId[], known: KnownSeats): readonly NodeId[] {
  return owners.filter((owner) => known.every(({ holder }) => holder !== owner));
}

/**
 * The seats that nobody is to have: those beyond what the owners hold, or are to take. An owner that has yet to take one
 * is not waited for: if it is to fill a vacant seat, it waits for the lost ones, which only somebody else can vacate.
 */
export function surplusSeats(owners: readonly NodeId[], known: KnownSeats): readonly number[] {
  const others = known.flatMap(({ holder }, seat) => {
    return isVacant(known, seat) || (holder !== undefined && owners.includes(holder)) ? [] : [seat];
  });
  if (others.length === 0) return others;
  const none: Hold = { kind: "none" };
  const taken = new Set(unseated(owners, known).map((owner) => seatToTake(owner, none, owners, known)));
  return others.filter((seat) => !taken.has(seat));
}
