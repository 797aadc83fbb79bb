/**
 * The head of a request, as Node's parser has read it.
 *
 * Runs on: main, shard.
 */

import type { IncomingMessage } from "node:http";

import type { EngineRequest } from "../app-port.ts";

/** Node.js reads each byte of a head as a character of its own; those above ASCII are UTF-8. */
const BEYOND_ASCII = /[\u0080-\u00ff]/;

const HOST = "host";

/** A request's head. */
export class HttpRequest implements EngineRequest {
  readonly #method: string;
  readonly #rawHeaders: readonly string[];
  readonly #path: string;
  readonly #query: string | undefined;
  #values: readonly string[] = [];

  /** @param rawHeaders - names and values in turn */
  constructor({ method = "", url = "" }: IncomingMessage, rawHeaders: readonly string[]) {
    this.#method = method;
    this.#rawHeaders = rawHeaders;
    const at = url.indexOf("?");
    this.#path = decoded(at === -1 ? url : url.slice(0, at));
    this.#query = at === -1 ? undefined : decoded(url.slice(at + 1));
  }

  /** Whether it has exactly one `Host`. Which one counts, if there are more, might be seen differently by a proxy. */
  get hasOneHost(): boolean {
    const raw = this.#rawHeaders;
    let count = 0;
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const name = raw[at] as string;
      if (name.length === HOST.length && name.toLowerCase() === HOST) count += 1;
    }
    return count === 1;
  }

  /** Sets the values of the path's variables. */
  matched(values: readonly string[]): void {
    this.#values = values;
  }

  forEach(each: (name: string, value: string) => void): void {
    const raw = this.#rawHeaders;
    for (let at = 0; at + 1 < raw.length; at += 2) {
      each((raw[at] as string).toLowerCase(), decoded(raw[at + 1] as string));
    }
  }

  getHeader(name: string): string {
    const raw = this.#rawHeaders;
    for (let at = 0; at + 1 < raw.length; at += 2) {
      if ((raw[at] as string).toLowerCase() === name) return decoded(raw[at + 1] as string);
    }
    return "";
  }

  getParameter(index: number): string | undefined {
    return this.#values[index];
  }

  getUrl(): string {
    return this.#path;
  }

  getQuery(): string | undefined {
    return this.#query;
  }

  getCaseSensitiveMethod(): string {
    return this.#method;
  }
}

function decoded(text: string): string {
  return BEYOND_ASCII.test(text) ? Buffer.from(text, "latin1").toString("utf8") : text;
}
