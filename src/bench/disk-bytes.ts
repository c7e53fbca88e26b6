/** What a directory takes up on its disk. */

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** Bytes of the blocks that all files under the directory have; files that go meanwhile count for nothing. */
export async function bytesUnder(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = files.map((file) =>
    stat(join(file.parentPath, file.name)).then(
      // Where a system does not count blocks, the length will do.
      ({ blocks, size }) => (blocks === undefined ? size : blocks * 512),
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}
