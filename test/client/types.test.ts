/**
 * The client library's types are part of what it promises: that siblings cannot be ignored is theirs to see to. The file of
 * examples is compiled as a user's would be, against the built package; what must not compile in it is marked.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";

const configs: readonly {
  readonly name: string;
  readonly lib: readonly string[];
  readonly types: readonly string[];
}[] = [
  { name: "in Node", lib: ["es2023", "esnext.disposable"], types: ["node"] },
  { name: "in a browser", lib: ["es2023", "esnext.disposable", "dom"], types: [] },
];

for (const { name, lib, types } of configs) {
  test(`the types allow what they should, and nothing else, ${name}`, () => {
    const directory = mkdtempSync(join(tmpdir(), "cartwheel-types-"));
    try {
      mkdirSync(join(directory, "node_modules"));
      symlinkSync(resolve("."), join(directory, "node_modules", "cartwheel"));
      symlinkSync(resolve("node_modules", "@types"), join(directory, "node_modules", "@types"));
      cpSync("test/data/client-types.txt", join(directory, "use.ts"));
      writeFileSync(join(directory, "package.json"), '{"type":"module"}');
      const compilerOptions = {
        ...{ target: "es2023", module: "nodenext", strict: true, noEmit: true, noUncheckedIndexedAccess: true },
        ...{ exactOptionalPropertyTypes: true, lib, types },
      };
      writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["use.ts"] }));
      const tsc = resolve("node_modules/typescript/bin/tsc");
      const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", directory], { encoding: "utf8" });
      assert.equal(status, 0, stdout);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
}
