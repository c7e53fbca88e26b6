/**
 * One real node with memory storage behind its real HTTP server, asked over a real socket; and every answer it gives
 * held against the interface's own description.
 */

import assert from "node:assert/strict";
import { request as startRequest } from "node:http";
import { connect } from "node:net";
import { Ajv2020 } from "ajv/dist/2020.js";
import { type RunningNode, type StartNodeOptions, startNode } from "../../src/host/start-node.ts";

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: Uint8Array | string;
}

export interface Told {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The body as JSON. */
  json(): Record<string, unknown>;
}

interface Described {
  readonly headers?: Readonly<Record<string, { readonly required?: boolean; readonly schema: object }>>;
  readonly content?: Readonly<Record<string, { readonly schema?: object }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Record<string, Described> }>>>>;
  readonly components: object;
}

export class ServedNode implements AsyncDisposable {
  readonly node: RunningNode;
  readonly port: number;
  #document: Document | undefined;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });

  private constructor(node: RunningNode) {
    this.node = node;
    this.port = Number(node.http?.split(":").at(-1));
  }

  static async start(options: Partial<StartNodeOptions> = {}): Promise<ServedNode> {
    const ports = { listen: "127.0.0.1:0", http: "127.0.0.1:0" };
    return new ServedNode(await startNode({ name: "n1", storage: "memory", ...ports, ...options }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.stop();
  }

  /** Asks, and fails if the answer is not one the description has. */
  async ask(path: string, asked: Ask = {}): Promise<Told> {
    const told = await this.askOnly(path, asked);
    await this.#checkDescribed(path, asked.method ?? "GET", told);
    return told;
  }

  /** Asks. The path goes out as it is, whatever is in it. */
  askOnly(path: string, { method = "GET", headers = {}, body }: Ask = {}): Promise<Told> {
    return new Promise((resolve, reject) => {
      const request = startRequest({ port: this.port, path, method, headers: { ...headers }, agent: false });
      // By itself the client frames no body of a DELETE.
      const isFramed = body === undefined || request.hasHeader("transfer-encoding");
      if (!isFramed) request.setHeader("content-length", Buffer.byteLength(body));
      request.on("error", reject);
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const received = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
          const all = Buffer.concat(chunks);
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(received),
            body: all,
            json: () => JSON.parse(all.toString()) as Record<string, unknown>,
          });
        });
      });
      request.end(body);
    });
  }

  /** Sends bytes as they are, and gives back all that comes until the connection closes. */
  raw(bytes: Uint8Array | string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, "127.0.0.1", () => socket.write(bytes));
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
      });
      socket.on("error", reject);
      socket.on("close", () => resolve(text));
    });
  }

  /** The interface's description. */
  async description(): Promise<Document> {
    this.#document ??= (await this.askOnly("/openapi.json")).json() as unknown as Document;
    return this.#document;
  }

  async #checkDescribed(target: string, method: string, told: Told): Promise<void> {
    const document = await this.description();
    const path = Object.keys(document.paths).find((template) => hasShape(target.split("?")[0] ?? "", template));
    const operation = path === undefined ? undefined : document.paths[path]?.[method.toLowerCase()];
    // What is not in the description is answered as its introduction says.
    if (operation === undefined) return assert.ok([404, 405, 403].includes(told.status), `${target}: ${told.status}`);
    const described = operation.responses[String(told.status)];
    if (described === undefined) assert.equal(told.status, 414, `${method} ${target} may not answer ${told.status}`);
    else this.#checkAnswer(`${method} ${target} ${told.status}`, document, described, told, method);
  }

  #checkAnswer(what: string, document: Document, described: Described, told: Told, method: string): void {
    for (const [name, { required, schema }] of Object.entries(described.headers ?? {})) {
      const value = told.headers[name.toLowerCase()];
      if (value === undefined) assert.ok(!required, `${what} lacks ${name}`);
      else this.#checkSchema(`${what}, header ${name}`, document, schema, /^\d+$/.test(value) ? Number(value) : value);
    }
    const known = Object.keys(described.headers ?? {}).map((name) => name.toLowerCase());
    for (const name of Object.keys(told.headers)) {
      if (name.startsWith("cartwheel-")) assert.ok(known.includes(name), `${what} has ${name}, undescribed`);
    }
    if (method === "HEAD" || described.content === undefined) return assert.equal(told.body.length, 0, what);
    const type = (told.headers["content-type"] ?? "").split(";")[0] ?? "";
    const content = described.content[type] ?? described.content["*/*"];
    assert.ok(content, `${what} has the content type ${type}, undescribed`);
    if (content.schema !== undefined) this.#checkSchema(what, document, content.schema, told.json());
  }

  #checkSchema(what: string, { components }: Document, schema: object, value: unknown): void {
    const validate = this.#ajv.compile({ components, ...schema });
    assert.ok(validate(value), `${what}: ${this.#ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`);
  }
}

function hasShape(path: string, template: string): boolean {
  const segments = path.split("/");
  const parts = template.split("/");
  return segments.length === parts.length && parts.every((part, i) => part.startsWith("{") || part === segments[i]);
}
