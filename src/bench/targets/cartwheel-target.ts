/**
 * Our store, through its own client. A put builds on what this client last saw of the key, as a session does; where a
 * bucket keeps the last write only, there is nothing to build on.
 */

import { type Bucket, type Context, connect, type Database } from "../../host/client.ts";
import { type Change, type Done, notFound, type Target } from "../target.ts";

export interface CartwheelTargetOptions {
  readonly addresses: readonly string[];
  readonly bucket: string;
  /** Whether puts carry the context of what was last seen of their key; else they are blind. */
  readonly remembers: boolean;
  readonly timeoutMs?: number | undefined;
}

export class CartwheelTarget implements Target {
  readonly #db: Database;
  readonly #bucket: Bucket<Uint8Array>;
  readonly #contexts: Map<string, Context> | undefined;

  private constructor(db: Database, options: Omit<CartwheelTargetOptions, "addresses">) {
    this.#db = db;
    this.#bucket = db.bucket(options.bucket, { timeoutMs: options.timeoutMs });
    this.#contexts = options.remembers ? new Map() : undefined;
  }

  /** Over a client that is connected already. */
  static over(db: Database, options: Omit<CartwheelTargetOptions, "addresses">): CartwheelTarget {
    return new CartwheelTarget(db, options);
  }

  /** Connects to the cluster. A second request beside a slow one would be measured as one: there is none. */
  static async connect(options: CartwheelTargetOptions): Promise<CartwheelTarget> {
    return new CartwheelTarget(await connect(options.addresses, { hedgeAfterMs: false }), options);
  }

  get(key: string, done: Done): void {
    const contexts = this.#contexts;
    this.#bucket.get(key).then(({ kind, context }) => {
      if (contexts !== undefined && context !== undefined) contexts.set(key, context);
      done(kind === "nothing" ? notFound : undefined);
    }, done);
  }

  put(key: string, value: Uint8Array, done: Done): void {
    const contexts = this.#contexts;
    const context = contexts?.get(key);
    const written = this.#bucket.put(key, value, context === undefined ? undefined : { context });
    written.then((answer) => {
      contexts?.set(key, answer.context);
      done();
    }, done);
  }

  change(key: string, change: Change, done: Done): void {
    this.#change(key, change).then(() => done(), done);
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  async #change(key: string, change: Change): Promise<void> {
    const found = await this.#bucket.get(key);
    const versions = found.kind === "nothing" ? [] : found.versions;
    await this.#bucket.put(key, change(versions.map(({ value }) => value)), { context: found.context });
  }
}
