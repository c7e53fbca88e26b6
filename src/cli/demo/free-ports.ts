/** Ports that nothing listens on. */

import { createServer } from "node:net";

const lastPort = 65_535;

/** The first `count` free loopback ports from `from` on. Another process may still take one before it is used. */
export async function freePorts(from: number, count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  for (let port = from; ports.length < count; port++) {
    if (port > lastPort) throw new Error(`fewer than ${count} ports from ${from} on are free`);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

/** Whether nothing listens on the loopback port. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
