/** A process's log in the simulation: every line is told to whoever follows the run, and an error is a violation. */

import type { Log, LogFields } from "../runtime/log.ts";
import type { SimProcess } from "./process.ts";
import { describeError } from "./simulation.ts";

/** How often each warning was logged, by its message. */
export type WarningCounts = Map<string, number>;

export function simLog(
  process: SimProcess,
  warnings: WarningCounts,
  fixed: LogFields = {},
  disk: { readonly isDamaged: boolean } = { isDamaged: false },
): Log {
  const { simulation } = process;
  const tell = (level: string, message: string, fields: LogFields = {}): void => {
    if (simulation.trace.tell === undefined) return;
    simulation.trace.tell(
      `${simulation.now.toFixed(3).padStart(12)}  ${process.name.padEnd(10)} ${level} ${message}${show({ ...fixed, ...fields })}`,
    );
  };
  return {
    debug: (message, fields) => tell("debug", message, fields),
    info: (message, fields) => tell("info", message, fields),
    warn: (message, fields) => {
      warnings.set(message, (warnings.get(message) ?? 0) + 1);
      tell("warn", message, fields);
    },
    error: (message, fields) => {
      // A disk without room is the nemesis's doing, and worth an error in any log.
      const isFull = String(fields?.error).startsWith("StorageError: no room on the ");
      // So is the end of one that is no member any more; whether it was right is for whoever hears of it.
      const isOut = fields?.code === "left" || fields?.code === "removed";
      // And of what a changed bit made of a record.
      const isDamaged = disk.isDamaged && / is damaged|under a damaged key/.test(message);
      if (isFull || isOut || isDamaged) {
        warnings.set(message, (warnings.get(message) ?? 0) + 1);
        tell("error", message, fields);
        return;
      }
      simulation.violate("no error is logged", `${process.name}: ${message}${show({ ...fixed, ...fields })}`);
    },
    child: (fields) => simLog(process, warnings, { ...fixed, ...fields }, disk),
  };
}

function show(fields: LogFields): string {
  let text = "";
  for (const [name, value] of Object.entries(fields)) {
    text += ` ${name}=${value instanceof Error ? describeError(value) : JSON.stringify(value)}`;
  }
  return text;
}
