/**
 * Binds the routes to an HTTP server, and keeps whatever a client may send from doing more than being answered.
 *
 * fastify does the parsing of messages, the limits of bodies and the closing; what it would decide by itself about
 * paths, types and errors is decided here, since its ways are not the interface's: it refuses odd Content-Types that
 * the store must keep, answers 404 to a wrong method, and has an error format of its own.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { Limits } from "../core/limits.ts";
import type { NodeApi } from "../node/api.ts";
import type { Log } from "../runtime/log.ts";
import type { Address } from "../runtime/network.ts";
import { BodyRoom } from "./body-room.ts";
import { bucketRoutes } from "./bucket-routes.ts";
import { clusterRoutes } from "./cluster-routes.ts";
import { kvRoutes } from "./kv-routes.ts";
import { HttpMetrics } from "./metrics.ts";
import { checkHost, checkOrigin, hostOf } from "./origin-check.ts";
import { problemAnswer, Rejection } from "./problem.ts";
import { pathParameters, splitTarget, targetCharacters } from "./raw-path.ts";
import type { HttpAnswer, HttpRequest, Route } from "./route.ts";
import { notReadyAnswer, serviceRoutes } from "./service-routes.ts";
import { answerExpectation, answerMalformed, badTargetAnswer, tooLongAnswer, unroutedAnswer } from "./unrouted.ts";

/** How long an idle connection stays open: longer than common clients and proxies keep theirs. */
const keepAliveMs = 72_000;
/** How long a request may take to arrive in full. */
const arrivalMs = 60_000;
/** Room for the longest address and the longest contexts. */
const headerBytes = 32 * 1024;

export interface HttpServerOptions {
  readonly listen: Address;
  readonly limits: Limits;
  /** Host names besides IP addresses and localhost under which the interface may be asked. */
  readonly names: readonly string[];
  /** The software's version. */
  readonly software: string;
  readonly log: Log;
}

export interface HttpServer {
  /** Where it listens, with the port that was chosen where 0 was asked for. */
  readonly address: Address;
  /** From now on requests are this node's. */
  serve(node: NodeApi): void;
  /** Every route, as the description has them. */
  readonly routes: readonly Route[];
  /** Stops accepting, and serves what comes over connections that stand, for at most so long; to be closed after that. */
  drain(mostMs: number): Promise<void>;
  /** Accepts again after `drain`. Rejects if it cannot. */
  reopen(): Promise<void>;
  /** Stops accepting, lets what runs finish for at most `graceMs`, and closes every connection. */
  close(graceMs: number): Promise<void>;
}

/**
 * Starts to listen. Rejects with the system's reason. Until there is a node to serve, whose address other nodes must
 * learn and which therefore comes second, only its absence is told.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { limits, log } = options;
  let node: NodeApi | undefined;
  const metrics = new HttpMetrics();
  const others = [...kvRoutes(limits), ...clusterRoutes(), ...bucketRoutes()];
  const service = serviceRoutes({ node: () => node, metrics, software: options.software, others });
  const routes = [...others, ...service];
  const listen = splitAddress(options.listen);
  const names = [...new Set([hostOf(options.listen), ...options.names.map((name) => name.toLowerCase())])];
  const ownNames = names.filter((name) => name !== "");
  const room = new BodyRoom(limits.bodiesBytes);
  let isClosing = false;
  let isDraining = false;

  const app = fastify({
    keepAliveTimeout: keepAliveMs,
    requestTimeout: arrivalMs,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    logger: false,
    // Without Host node answers by itself, in no format of ours: `checkHost` does.
    http: { maxHeaderSize: headerBytes, requireHostHeader: false },
    routerOptions: { maxParamLength: targetCharacters },
    rewriteUrl: (request) => relativeTarget(request.url ?? "/"),
    frameworkErrors: (_error, request, reply) => void send(reply, badTargetAnswer(request.raw.url ?? "/")),
    clientErrorHandler: answerMalformed,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));

  app.addHook("onRequest", async (request, reply) => {
    keepContentType(request.raw);
    if (isClosing) return send(reply, notReadyAnswer());
    const target = request.raw.url ?? "/";
    if (target.length > targetCharacters) return send(reply, tooLongAnswer(target));
    if (!room.take(request.raw, reply.raw, request.routeOptions.bodyLimit)) return send(reply, noRoomAnswer(limits));
    try {
      checkHost(request.raw.httpVersion, request.raw.headers);
      checkOrigin(request.method, request.raw.headers, ownNames);
    } catch (error) {
      return send(reply, thrownAnswer(error, request, log));
    }
  });
  app.addHook("onSend", async (_request, reply) => {
    // What was running when the server began to close would else stay open, idle, until its client goes.
    if (isClosing || isDraining) reply.header("connection", "close");
    const contentType = sentTypes.get(reply.raw);
    if (contentType !== undefined) reply.header("content-type", contentType);
  });
  app.addHook("onResponse", async (request, reply) => {
    const config = request.routeOptions.config as { readonly template?: string } | undefined;
    metrics.observe(request.method, config?.template ?? "none", reply.statusCode, reply.elapsedTime);
  });
  app.setErrorHandler((error, request, reply) =>
    send(reply, request.is404 ? unrouted(request, routes) : thrownAnswer(error, request, log)),
  );
  app.setNotFoundHandler((request, reply) => send(reply, unrouted(request, routes)));
  app.server.on("checkExpectation", answerExpectation);
  for (const route of routes) bind(app, route, () => node, log);

  try {
    await app.listen({ host: listen.host, port: listen.port });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`cannot listen for HTTP on ${options.listen}: ${reason}`, { cause });
  }
  const { port } = app.server.address() as AddressInfo;
  return {
    address: `${options.listen.slice(0, options.listen.lastIndexOf(":"))}:${port}`,
    routes,
    serve(served) {
      node = served;
    },
    async drain(mostMs) {
      isDraining = true;
      await new Promise<void>((resolve) => {
        const most = setTimeout(resolve, mostMs);
        app.server.close(() => {
          clearTimeout(most);
          resolve();
        });
      });
    },
    async reopen() {
      isDraining = false;
      await new Promise<void>((resolve, reject) => {
        app.server.once("error", reject);
        app.server.listen({ host: listen.host, port }, () => {
          app.server.off("error", reject);
          resolve();
        });
      });
    },
    async close(graceMs) {
      isClosing = true;
      const force = setTimeout(() => app.server.closeAllConnections(), graceMs);
      await app.close();
      clearTimeout(force);
    },
  };
}

function splitAddress(address: Address): { readonly host: string; readonly port: number } {
  const port = Number(address.slice(address.lastIndexOf(":") + 1));
  return { host: hostOf(address), port };
}

function bind(app: FastifyInstance, route: Route, source: () => NodeApi | undefined, log: Log): void {
  const parametersIn = pathParameters(route.path);
  app.route({
    method: route.method,
    url: route.path.replace(/\{(\w+)\}/g, ":$1"),
    bodyLimit: route.bodyBytes ?? 1024,
    config: { template: route.path },
    async handler(request, reply) {
      try {
        const { path, query } = splitTarget(request.raw.url ?? "/");
        const asked: HttpRequest = {
          method: request.method,
          params: parametersIn(path),
          query,
          headers: headersOf(request.raw),
          body: request.body instanceof Uint8Array ? request.body : new Uint8Array(0),
        };
        const node = source();
        if (!node?.isReady && !route.isAlwaysServed) return send(reply, notReadyAnswer(node));
        return send(reply, await route.handle(asked, node as NodeApi));
      } catch (error) {
        return send(reply, thrownAnswer(error, request, log));
      }
    },
  });
}

function relativeTarget(target: string): string {
  const { path, query } = splitTarget(target);
  return query === "" ? path : `${path}?${query}`;
}

function unrouted(request: FastifyRequest, routes: readonly Route[]): HttpAnswer {
  return unroutedAnswer(request.method, request.raw.url ?? "/", routes);
}

function noRoomAnswer({ bodiesBytes }: Limits): HttpAnswer {
  return problemAnswer("overloaded", `the bodies of requests under way take up to the limit, ${bodiesBytes} bytes`);
}

/** The answer for whatever a route or fastify threw. */
function thrownAnswer(error: unknown, request: FastifyRequest, log: Log): HttpAnswer {
  if (error instanceof Rejection) return problemAnswer(error.code, error.message, { headers: error.headers });
  const { code, statusCode } = error as { readonly code?: string; readonly statusCode?: number };
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    const size = request.headers["content-length"];
    const limit = request.routeOptions.bodyLimit;
    const detail = `the body is ${size === undefined ? "larger" : `${size} bytes long`}, the limit is ${limit} bytes`;
    return problemAnswer("value-too-large", detail);
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return problemAnswer("bad-request", error instanceof Error ? error.message : "the request is not understood");
  }
  log.error("a request over HTTP failed", { method: request.method, route: request.routeOptions.url, error });
  return problemAnswer("internal", "the node failed on this request; its log says how");
}

function send(reply: FastifyReply, answer: HttpAnswer): FastifyReply {
  reply.code(answer.status);
  reply.headers({
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    ...answer.headers,
  });
  const contentType = answer.headers?.["content-type"];
  if (contentType !== undefined) sentTypes.set(reply.raw, contentType);
  // As bytes always: to a text fastify would add a charset of its own.
  const { body } = answer;
  if (typeof body === "string") return reply.send(Buffer.from(body));
  return reply.send(body && Buffer.from(body.buffer, body.byteOffset, body.byteLength));
}

/**
 * Content-Types as they came and as they go, out of fastify's sight: it refuses those that do not parse on the way in,
 * and replaces them on the way out, and the store keeps whatever it was given.
 */
const contentTypes = new WeakMap<IncomingMessage, string>();
const sentTypes = new WeakMap<ServerResponse, string>();

function keepContentType(request: IncomingMessage): void {
  const contentType = request.headers["content-type"];
  if (contentType === undefined) return;
  contentTypes.set(request, contentType);
  delete request.headers["content-type"];
}

function headersOf(request: IncomingMessage): HttpRequest["headers"] {
  const headers: Record<string, string | undefined> = {};
  for (const name in request.headers) {
    const value = request.headers[name];
    headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  headers["content-type"] = contentTypes.get(request);
  return headers;
}
