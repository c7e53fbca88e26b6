/** A web server that answers one path with bytes from memory, and does nothing else: what fastify itself costs. */

import { fastify } from "fastify";
import { serveParent } from "../src/bench/child-process.ts";

interface Bare {
  /** Sent with each answer. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: number;
}

const app = fastify({ logger: false });

serveParent(
  {
    start: async (options) => {
      const { headers, bytes } = options as Bare;
      const value = Buffer.alloc(bytes, 120);
      app.get("/kv/:bucket/:key", (_request, reply) => reply.headers(headers).send(value));
      return app.listen({ host: "127.0.0.1", port: 0 });
    },
  },
  () => app.close(),
);
