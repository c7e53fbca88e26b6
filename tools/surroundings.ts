/**
 * What the simulation needs of Node: a way to know that no promise reaction is left to run, and a fast checksum.
 *
 * Node runs all microtasks between two callbacks of `setImmediate`, also between those of one turn of its loop, so each
 * event of the simulation is one such callback. Many are asked for at a time: a turn of the loop costs ten times what a
 * callback does.
 */

import { machineChecksum } from "../src/host/checksum.ts";
import { describeError, type Surroundings } from "../src/sim/simulation.ts";

const eventsPerTurn = 64;

function pump(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const once = (): void => {
      if (isOver) return;
      try {
        isOver = !step();
        if (isOver) resolve();
      } catch (error) {
        isOver = true;
        reject(error);
      }
    };
    const turn = (): void => {
      for (let i = 0; i < eventsPerTurn; i++) setImmediate(once);
      setImmediate(() => {
        if (!isOver) turn();
      });
    };
    turn();
  });
}

export const nodeSurroundings: Surroundings = { pump, checksum: machineChecksum };

/** Collects promises that nobody caught, until the answer is called: it gives what there was. */
export function guardPromises(): () => string[] {
  const seen: string[] = [];
  const listener = (error: unknown): void => void seen.push(describeError(error));
  process.on("unhandledRejection", listener);
  return () => {
    process.off("unhandledRejection", listener);
    return seen;
  };
}
