/** One node of the bare model, as a process. */

import { serveParent } from "../child-process.ts";
import { BareNode } from "./bare-node.ts";

let node: BareNode | undefined;

serveParent(
  {
    start: (logPath) => {
      node = new BareNode(typeof logPath === "string" ? logPath : undefined);
      return node.listen();
    },
    meet: (ports) => node?.meet(ports as readonly number[]),
  },
  async () => {},
);
