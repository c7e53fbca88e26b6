/** Bugs in forgetting. What breaks once in a thousand histories or less is for the model of one key (`test/models/reaping.test.ts`). */

import { forgetting } from "./busy-plan.ts";
import { caughtTest } from "./planted-bug.ts";

const slowLink = {
  leastDelayMs: 0.1,
  mostDelayMs: 60,
  spikeChance: 0,
  spikeMs: 0,
  windowBytes: 1e6,
  refusalChance: 0,
} as const;

caughtTest({
  name: "an owner that forgets another state than was agreed",
  file: "node/replica",
  find: "if (!sameHash(keyDigest(place.bucket, place.key, held.state), agreed))",
  replace: "if (false)",
  laws: ["no resurrection", "durability", "regular reads", "causality"],
  plan: forgetting([], { link: slowLink, clients: 12, mostRestMs: 1500 }),
});

caughtTest({
  name: "an owner that forgets while another has a different state",
  file: "node/forgetting",
  find: "!sameHash(keyDigest(place.bucket, place.key, held.state), agreed)) {",
  replace: "false) {",
  laws: ["no resurrection", "durability", "regular reads", "causality"],
  plan: forgetting([
    ["pause", 1500],
    ["kill", 3000],
    ["owners cut off", 2500],
    ["cut", 1500],
  ]),
});
