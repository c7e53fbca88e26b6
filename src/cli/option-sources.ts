/** Where options come from besides the command line: the environment, and a JSON file. */

import { readFileSync } from "node:fs";
import { type OptionName, type OptionSource, options } from "./options.ts";
import { UsageError } from "./usage-error.ts";

/** `CARTWHEEL_DATA` and the like; an empty variable is as good as none. */
export function environmentSource(environment: NodeJS.ProcessEnv): OptionSource {
  const variable = (name: OptionName): string => `CARTWHEEL_${name.toUpperCase().replaceAll("-", "_")}`;
  return { label: variable, text: (name) => environment[variable(name)] || undefined };
}

/** A file with an object of options; lists may be JSON arrays. Throws a `UsageError`. */
export function fileSource(file: string): OptionSource {
  const texts = new Map<string, string>();
  for (const [name, value] of Object.entries(parseFile(file))) {
    if (!Object.hasOwn(options, name)) {
      throw new UsageError(`${file} has the key "${name}", and may have ${Object.keys(options).join(", ")}`);
    }
    const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
    if (!isList && !["string", "number", "boolean"].includes(typeof value)) {
      throw new UsageError(`${name} in ${file} must be ${options[name as OptionName].allowed}`);
    }
    texts.set(name, String(value));
  }
  return { label: (name) => `${name} in ${file}`, text: (name) => texts.get(name) };
}

function parseFile(file: string): object {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read the config file: ${(error as Error).message}`);
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    // The same sentence serves both.
  }
  throw new UsageError(`the config file ${file} must hold one JSON object`);
}
