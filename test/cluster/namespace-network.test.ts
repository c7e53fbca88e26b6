/** That the faults of the network of namespaces are what they are called, before anything is concluded from them. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { NamespaceNetwork } from "./namespace-network.ts";

const skip = NamespaceNetwork.skip();

/** Says hello over UDP from one machine to another, and what the other heard within a moment: silence is the fault. */
const listener = `
  const socket = require("node:dgram").createSocket("udp4");
  socket.on("message", (text) => process.stdout.write(text + "\\n"));
  socket.bind(9000, () => process.stdout.write("listens\\n"));
`;
const speaker = `
  const socket = require("node:dgram").createSocket("udp4");
  const [to, text] = process.argv.slice(1);
  socket.send(text, 9000, to, () => socket.close());
`;

class Ear {
  readonly heard: string[] = [];
  readonly #child;

  constructor(network: NamespaceNetwork, i: number) {
    const [command = "", ...words] = [...network.homeOf(i).within, process.execPath, "-e", listener];
    this.#child = spawn(command, words, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child.stdout.on("data", (chunk: Buffer) => this.heard.push(...chunk.toString().trim().split("\n")));
  }

  async hears(text: string): Promise<void> {
    while (!this.heard.includes(text)) await once(this.#child.stdout, "data");
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

test("a split and a one-way cut are silent, let through what they should, and end", { skip }, async () => {
  using network = new NamespaceNetwork(3);
  using first = new Ear(network, 0);
  using second = new Ear(network, 1);
  await Promise.all([first.hears("listens"), second.hears("listens")]);
  const say = async (from: number, to: number, text: string): Promise<void> => {
    const [command = "", ...words] = [...network.homeOf(from).within, process.execPath, "-e", speaker];
    const child = spawn(command, [...words, network.homeOf(to).peer.host, text], { stdio: "inherit" });
    const [status] = await once(child, "exit");
    assert.equal(status, 0, "sending fails silently");
  };

  await say(0, 1, "before");
  await second.hears("before");
  await say(1, 0, "answer");
  await first.hears("answer");

  network.split([0], [1, 2]);
  await say(0, 1, "across");
  await say(2, 1, "within");
  await second.hears("within");
  network.heal();
  await say(0, 1, "healed");
  await second.hears("healed");

  network.cut(0, 1);
  await say(0, 1, "one way");
  await say(1, 0, "the other way");
  await first.hears("the other way");
  await say(2, 1, "beside it");
  await second.hears("beside it");
  network.heal();
  await say(0, 1, "whole");
  await second.hears("whole");
  assert.ok(!second.heard.includes("across"));
  assert.ok(!second.heard.includes("one way"));
});
