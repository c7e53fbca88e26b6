/**
 * Logs by pino: one JSON line each on stderr, or coloured lines where a person looks on.
 *
 * Lines are written at once, not queued: the last ones before a crash are those that matter.
 */

import { type Logger, pino } from "pino";
import { PinoPretty } from "pino-pretty";
import type { Log, LogFields } from "../runtime/log.ts";

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** Lines for people instead of JSON; where absent, whether stderr is a terminal. */
  readonly isPretty?: boolean;
}

const stderr = 2;

/** A log to stderr. */
export function stderrLog(options: LogOptions): Log {
  const isPretty = options.isPretty ?? process.stderr.isTTY === true;
  const lines = isPretty
    ? PinoPretty({ destination: stderr, sync: true, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" })
    : pino.destination({ dest: stderr, sync: true });
  return wrapped(
    pino(
      {
        level: options.level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        serializers: { error: pino.stdSerializers.err },
      },
      lines,
    ),
  );
}

function wrapped(logger: Logger): Log {
  return {
    debug: (message, fields) => logger.debug(fields, message),
    info: (message, fields) => logger.info(fields, message),
    warn: (message, fields) => logger.warn(fields, message),
    error: (message, fields) => logger.error(fields, message),
    child: (fields: LogFields) => wrapped(logger.child(fields)),
  };
}
