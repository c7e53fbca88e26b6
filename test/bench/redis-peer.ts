/** A peer that speaks as much of Redis's protocol as GET and SET, from memory: what the benchmark's client is tried with. */

import { type AddressInfo, createServer, type Socket } from "node:net";

export interface RedisPeer {
  readonly address: string;
  close(): void;
}

/** Answers GET and SET, and anything else with an error; every answer is cut into pieces of at most so many bytes. */
export async function startRedisPeer(pieceBytes = 7): Promise<RedisPeer> {
  const values = new Map<string, Buffer>();
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    let rest: Buffer = Buffer.alloc(0);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const request = requestAt(rest);
        if (request === undefined) return;
        rest = rest.subarray(request.end);
        const answer = answerTo(values, request.words);
        for (let at = 0; at < answer.length; at += pieceBytes) socket.write(answer.subarray(at, at + pieceBytes));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

function answerTo(values: Map<string, Buffer>, [command, key, value]: readonly Buffer[]): Buffer {
  const name = String(command);
  if (name === "SET" && value !== undefined) {
    values.set(`${key}`, Buffer.from(value));
    return Buffer.from("+OK\r\n");
  }
  if (name !== "GET" || `${key}`.startsWith("refused")) return Buffer.from("-ERR not for you\r\n");
  const found = values.get(`${key}`);
  if (found === undefined) return Buffer.from("$-1\r\n");
  return Buffer.concat([Buffer.from(`$${found.length}\r\n`), found, Buffer.from("\r\n")]);
}

/** The array of bulk strings at the beginning; undefined where it is not all there. */
function requestAt(bytes: Buffer): { readonly words: readonly Buffer[]; readonly end: number } | undefined {
  let at = 0;
  const number = (): number | undefined => {
    const end = bytes.indexOf("\r\n", at);
    if (end < 0) return undefined;
    const value = Number(bytes.toString("latin1", at + 1, end));
    at = end + 2;
    return value;
  };
  const count = number();
  if (count === undefined) return undefined;
  const words: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const length = number();
    if (length === undefined || at + length + 2 > bytes.length) return undefined;
    words.push(bytes.subarray(at, at + length));
    at += length + 2;
  }
  return { words, end: at };
}
