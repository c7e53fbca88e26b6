/** The product's own node, as the simulation builds it. */

import { Node } from "../src/node/node.ts";
import type { BuildNode } from "../src/sim/cluster.ts";

export const buildNode: BuildNode = (parts) => new Node({ ...parts, software: "simulated" });
