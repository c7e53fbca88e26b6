/**
 * The product with a bug in it: a copy of what the build made, with one line of one file changed, under `dist/planted`.
 * Nothing in the product knows of it, so there is no switch that anybody could leave on.
 *
 * What a bug changes must occur exactly once in its file: where the code has moved on, the bug's test says so.
 */

import assert from "node:assert/strict";
import { copyFileSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const dist = fileURLToPath(new URL("../", import.meta.url));

/** Text of a compiled file that occurs exactly once there, and what takes its place. */
export interface Change {
  readonly find: string;
  readonly replace: string;
}

/** One line to change in one file; where two lines keep the same law, both. */
export interface PlantedLine extends Change {
  /** What the node does wrong, as the subject of "is caught": "a mint that trusts another run's record". */
  readonly name: string;
  /** Under `dist/src`, without its ending: `core/quorum/tally`. */
  readonly file: string;
  readonly and?: Change;
}

/** Makes the copy; answers its folder, which holds `src` and `tools`. */
export function plantedCopy({ name, file, find, replace, and }: PlantedLine): string {
  const root = join(dist, "planted", name.replaceAll(/[^a-zA-Z0-9]+/g, "-"));
  rmSync(root, { recursive: true, force: true });
  for (const part of ["src", "tools"]) {
    for (const path of readdirSync(join(dist, part), { recursive: true, encoding: "utf8" })) {
      if (!path.endsWith(".js")) continue;
      mkdirSync(dirname(join(root, part, path)), { recursive: true });
      linkSync(join(dist, part, path), join(root, part, path));
    }
  }
  // The package's description lies as far above the copy as above what it is a copy of.
  copyFileSync(join(dist, "..", "package.json"), join(dist, "planted", "package.json"));
  let text = readFileSync(join(dist, "src", `${file}.js`), "utf8");
  for (const change of [{ find, replace }, ...(and === undefined ? [] : [and])]) text = changed(text, file, change);
  const planted = join(root, "src", `${file}.js`);
  rmSync(planted); // The file it is linked to must not change.
  writeFileSync(planted, text);
  return root;
}

function changed(text: string, file: string, { find, replace }: Change): string {
  assert.equal(text.split(find).length - 1, 1, `${JSON.stringify(find)} must occur exactly once in ${file}.js`);
  return text.replace(find, () => replace);
}
