/**
 * Since when a holder speaks for a seat: a number that grows each time the seat passes to another.
 *
 * It counts two things. A *generation* begins when a seat is rebuilt without its last holder; within it each hand-over,
 * from holder to holder, adds one. A rebuild cannot know how often the lost holder's seat was handed over unseen, so
 * its epoch is above all that its generation could ever have come to: otherwise a holder that was taken for dead would
 * outvote the one that took its place.
 */

export type Epoch = number;

/** Room for the hand-overs of one generation. */
const handOversAGeneration = 2 ** 20;

/** The epoch of a seat that was there from the beginning. */
export const firstEpoch: Epoch = 0;

/** Of a seat that nobody has held yet. */
export const neverHeld: Epoch = -1;

/** The epoch of the one the seat is handed over to. */
export function afterHandOver(epoch: Epoch): Epoch {
  const next = epoch + 1;
  if (next % handOversAGeneration === 0) throw new RangeError(`epoch ${epoch} is the last one of its generation`);
  return next;
}

/** The first epoch of a generation that is above every one that is known. */
export function nextGeneration(epoch: Epoch): Epoch {
  return (generationOf(epoch) + 1) * handOversAGeneration;
}

/** How often the seat had been rebuilt by then. */
export function generationOf(epoch: Epoch): number {
  return Math.floor(epoch / handOversAGeneration);
}
