/** The HTTP build of the client library runs where there is no Node: nothing that it loads imports Node, or a package. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

/** Every module that loading `entry` loads, with what each imports, as compiled. */
function graphOf(entry: string): ReadonlyMap<string, readonly string[]> {
  const graph = new Map<string, readonly string[]>();
  const visit = (path: string): void => {
    if (graph.has(path)) return;
    const code = readFileSync(path, "utf8");
    const imports = [
      ...code.matchAll(/^(?:import|export)\b[^;]*?\bfrom "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm),
    ].map(([, named, bare, dynamic]) => named ?? bare ?? dynamic ?? "");
    graph.set(path, imports);
    for (const target of imports) if (target.startsWith(".")) visit(join(dirname(path), target));
  };
  visit(entry);
  return graph;
}

test("the HTTP build imports nothing of Node and no package", () => {
  const graph = graphOf("dist/src/web/index.js");
  assert.ok(graph.size > 5);
  const foreign = [...graph].flatMap(([path, imports]) =>
    imports.filter((target) => !target.startsWith(".")).map((target) => `${path}: ${target}`),
  );
  assert.deepEqual(foreign, []);
  for (const path of graph.keys())
    assert.doesNotMatch(readFileSync(path, "utf8"), /\b(Buffer|process|require)\b[.(]/, path);
});

test("the native client loads no storage, no web server and no package", () => {
  const graph = graphOf("dist/src/host/client.js");
  const foreign = [...graph.values()].flat().filter((target) => !target.startsWith("."));
  assert.deepEqual([...new Set(foreign)].sort(), ["node:crypto", "node:net", "node:zlib"]);
  assert.deepEqual(
    [...graph.keys()].filter((path) => /src\/(node|storage|http|cli)\//.test(path)),
    [],
  );
});
