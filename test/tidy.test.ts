/** What the house asks of every file and no tool knows: who may import whom, what pure code may not touch, and order. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { test } from "node:test";

/** Every zone with the zones it may import (arrows point down), and the packages it may use. */
const zones: Readonly<Record<string, { readonly below: readonly string[]; readonly packages: readonly string[] }>> = {
  core: { below: [], packages: [] },
  wire: { below: ["core"], packages: [] },
  runtime: { below: ["core"], packages: [] },
  rpc: { below: ["core", "wire", "runtime"], packages: [] },
  storage: { below: ["core", "wire", "runtime"], packages: [] },
  node: { below: ["core", "wire", "runtime", "rpc", "storage"], packages: [] },
  sim: { below: ["core", "wire", "runtime", "rpc", "storage", "node"], packages: [] },
  client: { below: ["core", "wire", "runtime", "rpc"], packages: [] },
  web: { below: ["core", "client"], packages: [] },
  http: { below: ["core", "wire", "runtime", "node"], packages: ["node:", "fastify", "prom-client"] },
  host: {
    below: ["core", "wire", "runtime", "rpc", "storage", "node", "client", "http"],
    packages: ["node:", "lmdb", "pino", "pino-pretty"],
  },
  bench: { below: ["core", "runtime", "node", "sim", "client", "host"], packages: ["node:"] },
  cli: { below: ["core", "runtime", "host", "http", "node", "bench"], packages: ["node:", "commander"] },
};

/** Zones that run on virtual time from a seed, and so must have no time, chance or memory of their own. */
const pureZones = ["core", "wire", "runtime", "rpc", "storage", "node", "client", "sim"];

const longestFileLines = { src: 400, tools: 400, test: 500 } as const;
const vagueNames = /^(utils?|helpers?|common|manager|impl|misc|stuff|shared|lib)$/;

function filesUnder(folder: string, ending: RegExp): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => ending.test(path) && statSync(path).isFile())
    .sort();
}

const sources = filesUnder("src", /\.ts$/).filter((path) => !path.endsWith("ambient.d.ts"));
const everyScript = [...sources, ...filesUnder("tools", /\.ts$/), ...filesUnder("test", /\.ts$/)];
const zoneOf = (path: string): string => path.split("/")[1] ?? "";
const textOf = (path: string): string => readFileSync(path, "utf8");

/** The code without comments, and with the insides of strings blanked: lines stay where they are. */
function codeOf(path: string): string {
  const blank = (match: string): string => match.replace(/[^\n]/g, " ");
  return textOf(path)
    .replace(/\/\*[\s\S]*?\*\//g, blank)
    .replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, (text) => `"${" ".repeat(text.length - 2)}"`)
    .replace(/(^|[^:\\])\/\/.*$/gm, blank);
}

function importsOf(path: string): string[] {
  return [...textOf(path).matchAll(/^(?:import|export)\b[^;]*?\bfrom "([^"]+)"|\bimport\("([^"]+)"\)/gm)].map(
    ([, named, dynamic]) => named ?? dynamic ?? "",
  );
}

function complaints(paths: readonly string[], complain: (path: string) => readonly string[]): void {
  const all = paths.flatMap((path) => complain(path).map((what) => `${path}: ${what}`));
  assert.deepEqual(all, []);
}

function matches(path: string, pattern: RegExp, what: string): string[] {
  return codeOf(path)
    .split("\n")
    .flatMap((line, i) => (pattern.test(line) ? [`line ${i + 1} ${what}: ${line.trim()}`] : []));
}

test("every source file is in a zone", () => {
  complaints(sources, (path) => (zoneOf(path) in zones ? [] : ["is in no zone"]));
});

test("imports point down, and only the outer zones use packages", () => {
  complaints(sources, (path) => {
    const zone = zoneOf(path);
    const { below, packages } = zones[zone] ?? { below: [], packages: [] };
    return importsOf(path).flatMap((target) => {
      if (!target.startsWith(".")) {
        const isAllowed = packages.some((name) => (name.endsWith(":") ? target.startsWith(name) : target === name));
        return isAllowed ? [] : [`imports ${target}`];
      }
      const there = zoneOf(normalize(join(dirname(path), target)));
      return there === zone || below.includes(there) ? [] : [`imports ${target}: ${zone} does not stand on ${there}`];
    });
  });
});

test("the compiler's zones are the same, and the inner ones know nothing of Node", () => {
  for (const [zone, { below, packages }] of Object.entries(zones)) {
    const config = JSON.parse(textOf(`src/${zone}/tsconfig.json`)) as {
      references?: { path: string }[];
      compilerOptions: { types?: string[] };
    };
    const referenced = (config.references ?? []).map(({ path }) => basename(path));
    assert.deepEqual(referenced.toSorted(), [...below].sort(), `src/${zone}/tsconfig.json`);
    assert.deepEqual(config.compilerOptions.types ?? [], packages.includes("node:") ? ["node"] : [], zone);
  }
});

test("pure zones have no clock, no chance and no memory but what they are given", () => {
  const pure = sources.filter((path) => pureZones.includes(zoneOf(path)));
  complaints(pure, (path) => [
    ...matches(
      path,
      /(?<![.\w])(Date|performance|globalThis|setTimeout|setInterval|queueMicrotask)\b(?!\s*[:?])/,
      "uses",
    ),
    ...matches(path, /\bMath\.random\b/, "draws"),
    ...matches(path, /^(export )?(let|var)\b/, "keeps module state"),
    ...matches(path, /^(export )?const \w+ = new (Map|Set|WeakMap|WeakSet|Array)\b/, "keeps module state"),
  ]);
});

test("no any, no enum, no default export, no non-null assertion", () => {
  complaints(everyScript, (path) => [
    ...matches(path, /(:|<|\bas)\s*any\b|\bany\[\]/, "says any"),
    ...matches(path, /^\s*(export )?(const )?enum\b/, "has an enum"),
    ...matches(path, /^export default\b/, "has a default export"),
    ...matches(path, /@ts-(ignore|nocheck|expect-error)/, "hides from the compiler"),
  ]);
});

test("files are named after their idea, in kebab-case, and are short enough to be one", () => {
  complaints(everyScript, (path) => {
    const name = basename(path).replace(/(\.test|\.d)?\.ts$/, "");
    const lines = textOf(path).split("\n").length;
    const limit = longestFileLines[path.split("/")[0] as keyof typeof longestFileLines];
    return [
      ...(/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) ? [] : ["is not kebab-case"]),
      ...(name.split("-").some((word) => vagueNames.test(word)) ? ["has a name that says nothing"] : []),
      ...(lines > limit ? [`has ${lines} lines, the limit is ${limit}`] : []),
    ];
  });
});

test("every source file opens with what it is, and what it exports besides says what it is, too", () => {
  complaints([...sources, ...filesUnder("tools", /\.ts$/)], (path) => {
    const lines = textOf(path).split("\n");
    const exported = lines.flatMap((line, i) => {
      const name = /^export (?:async )?(?:abstract )?(?:function|class) (\w+)/.exec(line)?.[1];
      return name === undefined ? [] : [{ name, i }];
    });
    const bare = exported.filter(({ name, i }) => {
      const isDocumented = /\*\/\s*$/.test(lines[i - 1] ?? "");
      // A file is one idea: its header speaks for what bears its name, or is all there is. What is short says itself.
      const isTheIdea = exported.length === 1 || kebab(name) === basename(path, ".ts");
      const isTranslation = zoneOf(path) === "wire" && /^(read|write|encode|decode)[A-Z]/.test(name);
      return !isDocumented && !isTheIdea && !isTranslation && !isShort(lines, i);
    });
    const header = lines[0]?.startsWith("/**") ? [] : ["does not open with a comment"];
    return [...header, ...bare.map(({ name }) => `${name} is not documented`)];
  });
});

const kebab = (name: string): string => name.replace(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();

/** Whether the body that opens on the line is over within a few more. */
function isShort(lines: readonly string[], from: number): boolean {
  return lines.slice(from, from + 16).some((line) => line === "}");
}

test("every path that the documents name is there", () => {
  const documents = ["README.md", "ARCHITECTURE.md", ...filesUnder("docs", /\.md$/)].filter((path) => existsSync(path));
  complaints(documents, (document) => {
    const named = [...textOf(document).matchAll(/`((?:src|test|docs|tools|scripts|bin)\/[\w./-]*)`/g)];
    const linked = [...textOf(document).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)];
    return [
      ...named.map(([, path = ""]) => path),
      ...linked.map(([, path = ""]) => normalize(join(dirname(document), path))),
    ].flatMap((path) => (existsSync(path) ? [] : [`names ${path}, which is not there`]));
  });
});

test("notes are short, and decisions are numbered once each", () => {
  complaints(filesUnder("docs/how-it-works", /\.md$/), (path) => {
    const words = textOf(path).match(/\S*\w\S*/g)?.length ?? 0;
    return words > 600 ? [`has ${words} words, the limit is 600`] : [];
  });
  const numbers = filesUnder("docs/decisions", /\.md$/).map(
    (path) => /^(\d{3})-[a-z0-9-]+\.md$/.exec(basename(path))?.[1],
  );
  assert.ok(!numbers.includes(undefined), "a decision's file is called NNN-title.md");
  assert.equal(new Set(numbers).size, numbers.length);
});

test("the project speaks of itself alone, in its own words", () => {
  const texts = [
    ...everyScript.filter((path) => path !== "test/tidy.test.ts"),
    ...["README.md", "ARCHITECTURE.md", "package.json", ".ci/run"].filter((path) => existsSync(path)),
    ...filesUnder("docs", /\.md$/),
    ...filesUnder("scripts", /\.mjs$/),
  ];
  const foreign = /\/work\/|\.\.\/shared\b|\b[Ii]ssue #?\d|\b(vnode|preflist|vclock)s?\b|\bTODO\b|\bFIXME\b/;
  complaints(texts, (path) =>
    textOf(path)
      .split("\n")
      .flatMap((line, i) => (foreign.test(line) ? [`line ${i + 1}: ${line.trim()}`] : [])),
  );
});
