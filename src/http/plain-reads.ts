/**
 * Reads of a key as nearly all of them come: a GET of a path under `/kv` with nothing about it that anybody would have to be
 * told of. They go from Node's server straight to their route; fastify would look for the route, make a request and a
 * reply of its own and run hooks.
 *
 * Law: whatever is unusual is fastify's, and is refused there in the one way it is refused: another Host than this node's, a
 * body, a path that does not parse, a node that is not ready or closes. So nothing has happened when a request is left to
 * fastify. What the route itself refuses, it refuses either way.
 *
 * Hot path.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { NodeApi } from "../node/api.ts";
import type { OwnHosts } from "./origin-check.ts";
import { pathParameters, splitTarget, targetCharacters } from "./raw-path.ts";
import type { HttpAnswer, HttpRequest, Route } from "./route.ts";

const prefix = "/kv/";
const noBody = new Uint8Array(0);

export interface PlainReadsOptions {
  /** Of `GET /kv/{bucket}/{key}`. */
  readonly route: Route;
  readonly ownHosts: OwnHosts;
  /** The node, while requests are served as ever. */
  readonly node: () => NodeApi | undefined;
  /** Gives the answer to what arrived then, by `performance.now()`. */
  readonly give: (response: ServerResponse, answer: HttpAnswer, arrivedMs: number) => void;
  /** The answer to what the route threw. */
  readonly thrown: (error: unknown) => HttpAnswer;
}

export class PlainReads {
  readonly #options: PlainReadsOptions;
  readonly #parametersIn: (path: string) => Record<string, string>;

  constructor(options: PlainReadsOptions) {
    this.#options = options;
    this.#parametersIn = pathParameters(options.route.path);
  }

  /** Whether the request is one of these; then it is answered. */
  take(request: IncomingMessage, response: ServerResponse): boolean {
    const { url, headers } = request;
    if (request.method !== "GET" || url === undefined || !url.startsWith(prefix) || url.length > targetCharacters) {
      return false;
    }
    if (headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined) return false;
    if (headers.host === undefined || !this.#options.ownHosts.has(headers.host)) return false;
    const node = this.#options.node();
    if (node === undefined || !node.isReady) return false;
    const { path, query } = splitTarget(url);
    const slash = path.indexOf("/", prefix.length);
    if (slash < 0 || slash !== path.lastIndexOf("/")) return false;
    let asked: HttpRequest;
    try {
      const params = this.#parametersIn(path);
      asked = { method: "GET", params, query, headers: headers as HttpRequest["headers"], body: noBody };
    } catch {
      return false;
    }
    this.#answer(asked, node, response);
    return true;
  }

  #answer(asked: HttpRequest, node: NodeApi, response: ServerResponse): void {
    const { route, give, thrown } = this.#options;
    const arrivedMs = performance.now();
    const fail = (error: unknown): void => {
      try {
        give(response, thrown(error), arrivedMs);
      } catch (unfit) {
        // What cannot be sent ends its connection, and not the node.
        thrown(unfit);
        response.destroy();
      }
    };
    try {
      const answer = route.handle(asked, node);
      if (answer instanceof Promise) answer.then((found) => give(response, found, arrivedMs)).catch(fail);
      else give(response, answer, arrivedMs);
    } catch (error) {
      fail(error);
    }
  }
}
