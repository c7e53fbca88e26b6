/** One process a data directory, and nothing but what this version wrote. Other processes here are real ones. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import files, { mkdtemp, rm } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { type DataDirectory, DataDirectoryError, openDataDirectory } from "../../src/host/data-directory.ts";

let scratch = "";
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), "cartwheel-data-"));
});
after(() => rm(scratch, { recursive: true }));

function refusal(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof DataDirectoryError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.ok(!error.message.includes("\n"));
    return true;
  };
}

/** A process that opens the directory once it is told to, says `opened` or why not, and keeps it. */
function opener(directory: string): { readonly child: ChildProcess; next(): Promise<string> } {
  const child = spawn(process.execPath, ["dist/test/host/directory-opener.js", directory], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (child.stdout === null) throw new Error("no output to read");
  const said = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { child, next: async () => String((await said.next()).value) };
}

/** Copies of the directory as it is before each change of its files that `act` makes, and at the end. */
async function momentsOf(path: string, act: () => Promise<void>): Promise<readonly string[]> {
  const moments: string[] = [];
  const copy = (): void => {
    const moment = `${path}-${moments.length}`;
    cpSync(path, moment, { recursive: true, filter: (file) => !file.includes("/lock-") });
    moments.push(moment);
  };
  const { rename, rm: remove } = files;
  files.rename = (...names) => {
    copy();
    return rename(...names);
  };
  files.rm = (...names) => {
    copy();
    return remove(...names);
  };
  syncBuiltinESMExports();
  try {
    await act();
    copy();
  } finally {
    Object.assign(files, { rename, rm: remove });
    syncBuiltinESMExports();
  }
  return moments;
}

describe("a data directory", () => {
  test("is made where there is none, for its owner's eyes only, and is the same one the next time", async () => {
    const path = join(scratch, "deep", "inside", "new");
    const first = await openDataDirectory(path);
    assert.deepEqual([first.member, first.storage], [undefined, "log"]);
    assert.equal(statSync(path).mode & 0o077, 0);
    const engine = await first.openEngine();
    await engine.write([{ key: Uint8Array.of(1), value: Uint8Array.of(2) }]);
    await engine.close();
    const member = { cluster: "0123456789abcdef", zone: "z", capacity: 2, peers: ["127.0.0.1:7400"] };
    await first.remember(member);
    await first.close();
    const again = await openDataDirectory(path, { storage: "log" });
    assert.deepEqual(again.member, member);
    const same = await again.openEngine();
    assert.deepEqual(same.get(Uint8Array.of(1)), Uint8Array.of(2));
    await same.close();
    await again.close();
    assert.deepEqual(readdirSync(path), ["cartwheel.json", "store"]);
  });

  test("keeps the engine it was made with where none is named, whatever new ones get", async () => {
    const path = join(scratch, "of-lmdb");
    const first = await openDataDirectory(path, { storage: "lmdb" });
    const engine = await first.openEngine();
    await engine.write([{ key: Uint8Array.of(1), value: Uint8Array.of(2) }]);
    await engine.close();
    await first.close();
    const again = await openDataDirectory(path);
    assert.equal(again.storage, "lmdb");
    const same = await again.openEngine();
    assert.deepEqual(same.get(Uint8Array.of(1)), Uint8Array.of(2));
    await same.close();
    await again.close();
  });

  test("whose store is damaged says so until that store is out of the way, whatever else is noted meanwhile", async () => {
    const path = join(scratch, "marked");
    const member = { cluster: "0123456789abcdef", zone: "z", capacity: 2, peers: ["127.0.0.1:7400"] };
    const first = await openDataDirectory(path);
    await (await first.openEngine()).close();
    // At the same time, as a node may end while its directory notes where the others are.
    await Promise.all([
      first.markDamaged("lost a page"),
      first.remember(member),
      first.remember({ ...member, peers: [] }),
    ]);
    await first.close();
    const again = await openDataDirectory(path);
    assert.deepEqual([again.damage, again.member], ["lost a page", { ...member, peers: [] }]);
    await again.setStoreAside();
    assert.deepEqual([again.damage, again.isEmptied], [undefined, true]);
    await again.close();
    const emptied = await openDataDirectory(path);
    assert.deepEqual([emptied.damage, emptied.isEmptied], [undefined, true]);
    await emptied.remember(member);
    assert.equal(emptied.isEmptied, false);
    await emptied.close();
  });

  test("whose process is killed at any moment of setting a damaged store aside sets it aside the next time", async () => {
    const path = join(scratch, "cut-off-aside");
    const first = await openDataDirectory(path);
    const engine = await first.openEngine();
    await engine.write([{ key: Uint8Array.of(1), value: Uint8Array.of(2) }]);
    await engine.close();
    await first.markDamaged("lost a page");
    await first.close();
    // What is in the directory before each change of it that another process could find.
    const moments = await momentsOf(path, async () => {
      const directory = await openDataDirectory(path);
      await directory.setStoreAside();
      await directory.close();
    });
    assert.ok(moments.length >= 3);
    for (const moment of moments) {
      const directory = await openDataDirectory(moment);
      if (directory.damage !== undefined) await directory.setStoreAside();
      assert.equal(directory.isEmptied, true);
      const store = await directory.openEngine();
      assert.equal(store.get(Uint8Array.of(1)), undefined);
      await store.close();
      await directory.close();
      assert.equal(readdirSync(moment).filter((file) => /^store-damaged-/.test(file)).length, 1);
    }
  });

  test("keeps the engine it was made with", async () => {
    const path = join(scratch, "kept-engine");
    await (await openDataDirectory(path, { storage: "memory" })).close();
    const again = await openDataDirectory(path);
    assert.equal((await again.openEngine()).name, "memory");
    await again.close();
    await assert.rejects(
      openDataDirectory(path, { storage: "lmdb" }),
      refusal("other-storage", /belongs to the memory engine and cannot be opened with lmdb/),
    );
  });

  test("whose store has failed is read by its next opener, however well its process ended", async () => {
    const path = join(scratch, "failed");
    const first = await openDataDirectory(path);
    await (await first.openEngine()).close();
    await first.close();
    const second = await openDataDirectory(path);
    assert.equal(second.wasLeftUnread, false);
    await (await second.openEngine()).close();
    second.distrust();
    await second.storeWasRead();
    await second.close();
    const third = await openDataDirectory(path);
    assert.equal(third.wasLeftUnread, true);
    await third.close();
  });

  test("is refused when a newer version wrote it, or when its description is damaged", async () => {
    const describedAs = async (name: string, description: string): Promise<DataDirectory> => {
      const path = join(scratch, name);
      mkdirSync(path);
      writeFileSync(join(path, "cartwheel.json"), description);
      return await openDataDirectory(path);
    };
    await assert.rejects(
      describedAs("newer", `{"format":2,"storage":"lmdb"}`),
      refusal("newer-format", /has format 2, this version knows formats up to 1/),
    );
    for (const [i, text] of ["", "{", "null", "[]", `{"storage":"lmdb"}`, `{"format":0,"storage":"lmdb"}`].entries()) {
      await assert.rejects(describedAs(`damaged-${i}`, text), refusal("damaged", /does not say which format/));
    }
    await assert.rejects(
      describedAs("unknown-engine", `{"format":1,"storage":"tape"}`),
      refusal("damaged", /names the engine "tape", known are lmdb, log, memory/),
    );
  });

  test("is refused when it holds something else, is no directory, or is out of reach", async () => {
    const foreign = join(scratch, "foreign");
    mkdirSync(foreign);
    writeFileSync(join(foreign, "thesis.tex"), "years of work");
    await assert.rejects(openDataDirectory(foreign), refusal("foreign", /holds "thesis.tex" but no cartwheel.json/));
    assert.deepEqual(readdirSync(foreign), ["thesis.tex"]);

    const file = join(scratch, "file");
    writeFileSync(file, "");
    await assert.rejects(openDataDirectory(file), refusal("not-a-directory", /is not a directory/));
    await assert.rejects(openDataDirectory(join(file, "below")), refusal("not-a-directory", /is not a directory/));

    const loop = join(scratch, "loop");
    symlinkSync(loop, loop);
    await assert.rejects(openDataDirectory(loop), refusal("no-access", /cannot be used: /));
  });

  test("is made over what a first start that was cut off has left", async () => {
    const path = join(scratch, "cut-off");
    mkdirSync(join(path, "lost+found"), { recursive: true });
    writeFileSync(join(path, "cartwheel.json.new"), "{");
    writeFileSync(join(path, "lock-0123456789abcdef.new"), "");
    const directory = await openDataDirectory(path);
    assert.equal(directory.member, undefined);
    assert.deepEqual(JSON.parse(readFileSync(join(path, "cartwheel.json"), "utf8")), { format: 1, storage: "log" });
    await directory.close();
    assert.deepEqual(readdirSync(path), ["cartwheel.json", "lost+found"]);
  });

  test("is refused to a second opener, by name, under any name and however long its path", async () => {
    const path = join(scratch, "long".repeat(20), "path".repeat(20));
    const first = await openDataDirectory(path);
    const link = join(scratch, "link");
    symlinkSync(path, link);
    for (const name of [path, link, `${path}/../${"path".repeat(20)}`]) {
      await assert.rejects(openDataDirectory(name), refusal("in-use", new RegExp(`in use by process ${process.pid}$`)));
    }
    await first.close();
    await (await openDataDirectory(link)).close();
  });

  test("is free again the moment its process was killed, and refused while that one is only stopped", async () => {
    const path = join(scratch, "killed");
    for (let round = 0; round < 3; round++) {
      const { child, next } = opener(path);
      child.stdin?.write("go\n");
      assert.equal(await next(), "opened");
      await assert.rejects(openDataDirectory(path), refusal("in-use", new RegExp(`in use by process ${child.pid}$`)));
      if (round === 0) {
        child.kill("SIGSTOP");
        await assert.rejects(openDataDirectory(path), refusal("in-use", /in use by another process$/));
      }
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await (await openDataDirectory(path)).close();
    assert.deepEqual(readdirSync(path), ["cartwheel.json"]);
  });

  test("has one holder exactly, whoever starts at the same time, over what the dead have left", async () => {
    const path = join(scratch, "contended");
    for (let round = 0; round < 3; round++) {
      const openers = Array.from({ length: 4 }, () => opener(path));
      const ready = openers.map(({ next }) => next());
      for (const { child } of openers) child.stdin?.write("ready\n");
      await Promise.all(ready);
      for (const { child } of openers) child.stdin?.write("go\n");
      const outcomes = await Promise.all(openers.map(({ next }) => next()));
      assert.ok(
        outcomes.every((outcome) => outcome === "opened" || outcome === "in-use"),
        outcomes.join(),
      );
      assert.equal(outcomes.filter((outcome) => outcome === "opened").length, 1);
      const exits = openers.map(({ child }) => once(child, "exit"));
      for (const { child } of openers) child.kill("SIGKILL");
      await Promise.all(exits);
    }
    await (await openDataDirectory(path)).close();
  });

  test("has one holder exactly among many openers in one process", async () => {
    const path = join(scratch, "contended-within");
    for (let round = 0; round < 10; round++) {
      const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => openDataDirectory(path)));
      const held = outcomes.filter((outcome) => outcome.status === "fulfilled");
      assert.equal(held.length, 1);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") refusal("in-use", /in use by/)(outcome.reason);
        else await outcome.value.close();
      }
    }
  });

  test("goes to one of two openers when the second appears after the first has looked around", async () => {
    for (let round = 0; round < 12; round++) {
      const path = join(scratch, `late-${round}`);
      mkdirSync(path);
      let answerFirst = (): void => {};
      let isFirst = true;
      const firstAsks = new Promise<void>((resolve) => {
        const slow = createServer((socket) => {
          socket.on("data", () => {
            if (isFirst) {
              isFirst = false;
              answerFirst = () => socket.end("yes");
              resolve();
            } else {
              socket.end("yes");
            }
          });
        });
        slow.listen(join(path, `lock-${"f".repeat(16)}.sock`)).unref();
      });
      const first = openDataDirectory(path);
      await firstAsks;
      const second = await Promise.allSettled([openDataDirectory(path)]);
      answerFirst();
      const outcomes = [...(await Promise.allSettled([first])), ...second];
      const held = outcomes.filter((outcome) => outcome.status === "fulfilled");
      assert.equal(held.length, 1);
      for (const { value } of held) await value.close();
    }
  });
});
