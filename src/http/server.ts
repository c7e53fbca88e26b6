/**
 * Binds the routes to an HTTP server, and keeps whatever a client may send from doing more than being answered.
 *
 * fastify does the parsing of messages, the limits of bodies and the closing; what it would decide by itself about
 * paths, types and errors is decided here, since its ways are not the interface's: it refuses odd Content-Types that
 * the store must keep, answers 404 to a wrong method, and has an error format of its own.
 */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { Limits } from "../core/limits.ts";
import type { NodeApi } from "../node/api.ts";
import type { Log } from "../runtime/log.ts";
import type { Address } from "../runtime/network.ts";
import { BodyRoom } from "./body-room.ts";
import { bucketRoutes } from "./bucket-routes.ts";
import { clusterRoutes } from "./cluster-routes.ts";
import { giveAnswer } from "./give-answer.ts";
import { kvRoutes } from "./kv-routes.ts";
import { HttpMetrics } from "./metrics.ts";
import { checkHost, checkOrigin, hostOf, OwnHosts } from "./origin-check.ts";
import { PlainReads } from "./plain-reads.ts";
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

declare module "fastify" {
  interface FastifyRequest {
    /** When its head had arrived, by `performance.now()`; 0 for one that fastify itself refuses. */
    arrivedMs: number;
    /** As it came, where it did. */
    contentType: string | undefined;
  }
}

const noBody = new Uint8Array(0);
const noQuery: Readonly<Record<string, never>> = {};

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
  let served: NodeApi | undefined;
  const metrics = new HttpMetrics();
  const reading = kvRoutes(limits);
  const others = [...reading, ...clusterRoutes(), ...bucketRoutes()];
  const service = serviceRoutes({ node: () => served, metrics, software: options.software, others });
  const routes = [...others, ...service];
  const listen = splitAddress(options.listen);
  const names = [...new Set([hostOf(options.listen), ...options.names.map((name) => name.toLowerCase())])];
  const ownHosts = new OwnHosts(names.filter((name) => name !== ""));
  const room = new BodyRoom(limits.bodiesBytes);
  let isClosing = false;
  let isDraining = false;

  const give = ({ response, method, template, arrivedMs }: Asked, answer: HttpAnswer): void => {
    // What was running when the server began to close would else stay open, idle, until its client goes.
    giveAnswer(response, answer, isClosing || isDraining);
    metrics.observe(method, template, answer.status, arrivedMs === 0 ? 0 : performance.now() - arrivedMs);
  };
  const send: Send = (request, reply, answer, template = templateOf(request)) => {
    const { method, arrivedMs } = request;
    give({ response: reply.raw, method, template, arrivedMs }, answer);
  };
  const app = fastify({
    keepAliveTimeout: keepAliveMs,
    requestTimeout: arrivalMs,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    logger: false,
    // Without Host node answers by itself, in no format of ours: `checkHost` does.
    http: { maxHeaderSize: headerBytes, requireHostHeader: false },
    // The query is the routes' to read: an object of it would be made for every request.
    routerOptions: { maxParamLength: targetCharacters, querystringParser: () => noQuery },
    rewriteUrl: ({ url = "/" }) => (url.startsWith("/") ? url : relativeTarget(url)),
    frameworkErrors: (_error, request, reply) => send(request, reply, badTargetAnswer(request.raw.url ?? "/")),
    clientErrorHandler: answerMalformed,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));

  app.decorateRequest("arrivedMs", 0);
  app.decorateRequest("contentType", undefined);
  app.addHook("onRequest", (request, reply, done) => {
    request.arrivedMs = performance.now();
    const { headers, url = "/" } = request.raw;
    keepContentType(request);
    if (isClosing) return send(request, reply, notReadyAnswer());
    if (url.length > targetCharacters) return send(request, reply, tooLongAnswer(url));
    if (hasBody(request.raw) && !room.take(request.raw, reply.raw, request.routeOptions.bodyLimit)) {
      return send(request, reply, noRoomAnswer(limits));
    }
    try {
      checkHost(request.raw.httpVersion, headers);
      checkOrigin(request.method, headers, ownHosts);
    } catch (error) {
      return send(request, reply, thrownAnswer(error, request, log));
    }
    done();
  });
  app.setErrorHandler((error, request, reply) => {
    const answer = request.is404 ? unrouted(request, routes) : thrownAnswer(error, request, log);
    // What is left of a body that was not read to its end would be taken for a request.
    const closes = reply.getHeader("connection") === "close";
    send(request, reply, closes ? { ...answer, headers: { ...answer.headers, connection: "close" } } : answer);
  });
  app.setNotFoundHandler((request, reply) => send(request, reply, unrouted(request, routes)));
  app.server.on("checkExpectation", answerExpectation);
  const node = (): NodeApi | undefined => served;
  for (const route of routes) bind(app, route, { node, log, send });
  for (const route of reading.filter(({ method }) => method === "GET")) {
    const plain = new PlainReads({
      route,
      ownHosts,
      node: () => (isClosing ? undefined : served),
      give: (response, answer, arrivedMs) =>
        give({ response, method: route.method, template: route.path, arrivedMs }, answer),
      thrown: (error) => failedAnswer(error, route.method, route.path, log),
    });
    putBefore(app.server, plain);
  }

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
    serve(node) {
      served = node;
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

/** Plain reads are answered before fastify hears of them. */
function putBefore(server: Server, plain: PlainReads): void {
  const others = server.listeners("request") as ((request: IncomingMessage, response: ServerResponse) => void)[];
  server.removeAllListeners("request");
  server.on("request", (request, response) => {
    if (plain.take(request, response)) return;
    for (const other of others) other.call(server, request, response);
  });
}

/** What an answer is given to, and counted under; `template` is its route's path. */
interface Asked {
  readonly response: ServerResponse;
  readonly method: string;
  readonly template: string;
  readonly arrivedMs: number;
}

/** Answers a request, and counts the answer; `template` is its route's path. */
type Send = (request: FastifyRequest, reply: FastifyReply, answer: HttpAnswer, template?: string) => void;

interface Binding {
  readonly node: () => NodeApi | undefined;
  readonly log: Log;
  readonly send: Send;
}

function bind(app: FastifyInstance, route: Route, { node, log, send }: Binding): void {
  const parametersIn = pathParameters(route.path);
  const answerTo = (request: FastifyRequest): HttpAnswer | Promise<HttpAnswer> => {
    const { path, query } = splitTarget(request.raw.url ?? "/");
    const asked: HttpRequest = {
      method: request.method,
      params: parametersIn(path),
      query,
      headers: headersOf(request),
      body: request.body instanceof Uint8Array ? request.body : noBody,
    };
    const served = node();
    if (!served?.isReady && !route.isAlwaysServed) return notReadyAnswer(served);
    return route.handle(asked, served as NodeApi);
  };
  app.route({
    method: route.method,
    url: route.path.replace(/\{(\w+)\}/g, ":$1"),
    bodyLimit: route.bodyBytes ?? 1024,
    config: { template: route.path },
    // Not async: fastify would wait for what it returns, and answer.
    handler(request, reply) {
      const answer = async (): Promise<void> => send(request, reply, await answerTo(request), route.path);
      answer()
        .catch((error: unknown) => send(request, reply, thrownAnswer(error, request, log), route.path))
        // What cannot be sent ends its connection, and not the node.
        .catch((error: unknown) => {
          thrownAnswer(error, request, log);
          reply.raw.destroy();
        });
    },
  });
}

function templateOf(request: FastifyRequest): string {
  const config = request.routeOptions.config as { readonly template?: string } | undefined;
  return config?.template ?? "none";
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
  const { code } = error as { readonly code?: string };
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    const size = request.headers["content-length"];
    const limit = request.routeOptions.bodyLimit;
    const detail = `the body is ${size === undefined ? "larger" : `${size} bytes long`}, the limit is ${limit} bytes`;
    return problemAnswer("value-too-large", detail);
  }
  return failedAnswer(error, request.method, request.routeOptions.url, log);
}

/** The same of what a route threw. */
function failedAnswer(error: unknown, method: string, route: string | undefined, log: Log): HttpAnswer {
  if (error instanceof Rejection) return problemAnswer(error.code, error.message, { headers: error.headers });
  const { statusCode } = error as { readonly statusCode?: number };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return problemAnswer("bad-request", error instanceof Error ? error.message : "the request is not understood");
  }
  log.error("a request over HTTP failed", { method, route, error });
  return problemAnswer("internal", "the node failed on this request; its log says how");
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}

/**
 * Content-Types as they came, out of fastify's sight: it refuses those that do not parse, and the store keeps whatever it
 * was given.
 */
function keepContentType(request: FastifyRequest): void {
  const { headers } = request.raw;
  const contentType = headers["content-type"];
  if (contentType === undefined) return;
  request.contentType = contentType;
  headers["content-type"] = undefined;
}

/** Of all fields Node makes a list of Set-Cookie alone, which no route reads. */
function headersOf({ raw, contentType }: FastifyRequest): HttpRequest["headers"] {
  if (contentType !== undefined) raw.headers["content-type"] = contentType;
  return raw.headers as HttpRequest["headers"];
}
