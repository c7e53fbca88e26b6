/** `docs/faults.md` names every fault, every law and every planted bug there is, and nothing that there is not. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { changeNames } from "../../src/sim/membership-changes.ts";
import { faultNames } from "../../src/sim/plan.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const table = readFileSync(join(root, "docs/faults.md"), "utf8");

/** The rows of the table under this heading, without those above its line. */
function rowsUnder(heading: string): readonly (readonly string[])[] {
  const section = table.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("|"));
  const cells = lines.map((line) => line.slice(1, -1).split("|"));
  return cells.slice(2).map((row) => row.map((cell) => cell.trim()));
}

function sourcesUnder(folder: string): readonly string[] {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(".ts")).map((name) => readFileSync(join(root, folder, name), "utf8"));
}

function quoted(text: string): readonly string[] {
  return [...text.matchAll(/"([^"]+)"/g)].map(([, inside]) => inside as string);
}

/** Every law that some checker says is broken. */
function lawsOfCheckers(): readonly string[] {
  const laws = sourcesUnder("src/sim").flatMap((text) =>
    [...text.matchAll(/violate\(\s*"([^"]+)"/g)].map(([, law]) => law as string),
  );
  return [...new Set(laws)].sort();
}

/** Every planted bug with the laws that catch it, as the tests declare them. */
function plantedBugs(): readonly (readonly [bug: string, laws: readonly string[]])[] {
  const declarations = [
    /caughtTest\(\{\s*name:\s*"([^"]+)",.*?laws:\s*\[(.*?)\]/gs,
    /test\("(.+?) is caught[^"]*", \(\) =>\s*caught\(\s*\[(.*?)\]/gs,
  ];
  return sourcesUnder("test/simulation/planted").flatMap((text) =>
    declarations.flatMap((declaration) =>
      [...text.matchAll(declaration)].map(([, bug, laws]) => [bug as string, quoted(laws as string)] as const),
    ),
  );
}

test("every fault has its row, and no row is another's", () => {
  assert.deepEqual(
    rowsUnder("Faults")
      .map(([fault]) => fault)
      .sort(),
    [...faultNames].sort(),
  );
});

test("so has every change of members", () => {
  assert.deepEqual(
    rowsUnder("Changes of members").map(([change]) => change),
    changeNames,
  );
});

test("every law has its row, and each names a bug that it has caught", () => {
  const rows = rowsUnder("Laws");
  assert.deepEqual(
    rows.map(([law]) => law),
    lawsOfCheckers(),
  );
  for (const [law, bugs] of rows) assert.notEqual(bugs, "", law);
});

test("every planted bug stands beside the laws that catch it, and beside no other", () => {
  const bugs = plantedBugs();
  assert.ok(bugs.length >= 35, `${bugs.length} planted bugs were found in the tests`);
  const told = rowsUnder("Laws").flatMap(([law, caught]) => (caught ?? "").split("; ").map((bug) => `${law}: ${bug}`));
  const declared = bugs.flatMap(([bug, laws]) => laws.map((law) => `${law}: ${bug}`));
  assert.deepEqual(told.sort(), declared.sort());
});

test("every file it names exists", () => {
  const paths = [...table.matchAll(/`((?:test|src|docs)\/[^`]+)`/g)].map(([, path]) => path as string);
  assert.ok(paths.length > 30);
  assert.deepEqual(
    paths.filter((path) => !existsSync(join(root, path))),
    [],
  );
});
