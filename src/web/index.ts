/**
 * `import { connect } from "cartwheel/client/http"`: the store over HTTP, wherever there is `fetch`. Imports nothing of
 * Node and no package.
 */

import { Database } from "../client/database.ts";
import { HttpTransport, type HttpTransportOptions } from "./http-transport.ts";

export * from "../client/index.ts";
export type { HttpTransportOptions } from "./http-transport.ts";

/**
 * A client of the cluster whose nodes have their HTTP interface at these URLs: the first that answers is asked, and the
 * next where it does not. Asks nobody yet. Throws `TypeError` for what is no URL.
 */
export function connect(urls: readonly string[], options: HttpTransportOptions = {}): Database {
  if (urls.length === 0) throw new TypeError("no URL to connect to; one looks like http://127.0.0.1:7480");
  for (const url of urls) {
    const { protocol } = new URL(url);
    if (protocol !== "http:" && protocol !== "https:") throw new TypeError(`${url} is no http or https URL`);
  }
  return new Database(new HttpTransport(urls, options));
}
