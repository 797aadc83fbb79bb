/**
 * The signed token that contains the location of a client's session, and the id with which a client resumes.
 *
 *   token   {:v1, address, number}
 *             address   the thread that has the session (`host.address`)
 *             number    of the session's connection there
 *   id      token : number of the last event : topics : positions
 *             the last two on streams of topics only, see `topic-stream`
 *
 * Runs on: shard; one instance for each mount.
 * Full: an id of more than 4 096 characters is refused.
 */

import { Token } from "../../token/token.ts";

/** The location of a session. */
export interface SessionPlace {
  readonly address: string;
  readonly number: number;
}

/** An id as sent by a client. Only `place` is signed. */
export interface ResumeId {
  /** Undefined if the token is invalid or too old. */
  readonly place: SessionPlace | undefined;
  /** Number of the last event that the client has received; NaN if it is malformed. */
  readonly after: number;
  /** What streams of topics add. */
  readonly rest: string;
}

/** Maximum length of an id (characters). With more, the heads of requests would not pass common proxies. */
export const MAX_ID_LENGTH = 4_096;

/** A token is only valid at the mount that issued it, which checks the origin of requests. */
const SALT_PREFIX = "simurgh sse ";
const VERSION = Token.atom("v1");
const MAX_AGE_MS = 1_209_600_000;
const OPTIONS = { maxAgeMs: MAX_AGE_MS };
const SEPARATOR = ":";
const NUMBER = /^\d{1,15}$/;

/** Signs and reads the tokens of a mount. */
export class SseTokens {
  readonly #secretKeyBase: string;
  readonly #salt: string;

  constructor(secretKeyBase: string, path: string) {
    this.#secretKeyBase = secretKeyBase;
    this.#salt = SALT_PREFIX + path;
  }

  sign({ address, number }: SessionPlace): string {
    const data = Token.tuple(VERSION, address, number);
    return Token.sign(this.#secretKeyBase, this.#salt, data, OPTIONS);
  }

  /** Returns the place in a token, or undefined if the token is invalid or too old. */
  tryRead(token: unknown): SessionPlace | undefined {
    const read = Token.verify(this.#secretKeyBase, this.#salt, token, OPTIONS);
    if (!read.ok || !(read.data instanceof Token.Tuple)) return undefined;
    const [version, address, number] = read.data.elements;
    if (version !== VERSION || typeof address !== "string") return undefined;
    // Integers of more than 32 bits are decoded as bigints.
    if (typeof number !== "number" && typeof number !== "bigint") return undefined;
    return { address, number: Number(number) };
  }

  /** Reads an id. */
  readId(id: string): ResumeId {
    const [token, number = "", ...rest] = id.split(SEPARATOR);
    const after = NUMBER.test(number) ? Number(number) : Number.NaN;
    return { place: this.tryRead(token), after, rest: rest.join(SEPARATOR) };
  }
}

/** Returns an id. @param rest - what a stream of topics adds */
export function idOf(token: string, number: number, rest: string): string {
  return token + SEPARATOR + String(number) + SEPARATOR + rest;
}
