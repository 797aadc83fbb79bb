/**
 * The signed token that contains the location of a client's long-poll session.
 *
 *   {:v1, node, member, generation, number, secret}
 *     member, generation   the thread of the node that has the session
 *     number, secret       the session there; each session has its own secret
 *
 * Runs on: shard; one instance per mount.
 */

import type { Term } from "../../token/terms.ts";
import type { KeyOptions, VerifyOptions } from "../../token/token-options.ts";
import { Token } from "../../token/token.ts";
import type { ShardAddress } from "../forwarding/forwarding-port.ts";

/** The location of a session. */
export interface LongPollPlace extends ShardAddress {
  /** The member's generation when the session was opened. */
  readonly generation: number;
  /** The session's number. */
  readonly number: number;
  readonly secret: string;
}

/** Header with the token. It takes precedence over the parameter. */
export const LONGPOLL_TOKEN_HEADER = "x-phoenix-longpoll-token";
/** Parameter with the token. If a query has several tokens, the last one counts. */
export const LONGPOLL_TOKEN_PARAM = "token";

/** A token is only valid at the mount that issued it, which checks the origin of the client's requests. */
const SALT_PREFIX = "simurgh long-poll ";
const VERSION = Token.atom("v1");

/** Signs and reads the tokens of a mount. */
export class LongPollTokens {
  readonly #secretKeyBase: string;
  readonly #salt: string;
  readonly #options: VerifyOptions;

  /**
   * @param maxAgeMs - time for which a token is valid after it was signed
   * @param crypto - options for deriving the key
   */
  constructor(secretKeyBase: string, path: string, maxAgeMs: number, crypto: KeyOptions = {}) {
    this.#secretKeyBase = secretKeyBase;
    this.#salt = SALT_PREFIX + path;
    this.#options = { ...crypto, maxAgeMs };
  }

  sign({ node, member, generation, number, secret }: LongPollPlace): string {
    const data = Token.tuple(VERSION, node, member, generation, number, secret);
    return Token.sign(this.#secretKeyBase, this.#salt, data, this.#options);
  }

  /** Returns the place in a token, or undefined if the token is invalid or too old. */
  tryRead(token: unknown): LongPollPlace | undefined {
    const read = Token.verify(this.#secretKeyBase, this.#salt, token, this.#options);
    return read.ok ? placeOf(read.data) : undefined;
  }
}

function placeOf(data: Term): LongPollPlace | undefined {
  if (!(data instanceof Token.Tuple)) return undefined;
  const [version, node, member, generation, number, secret] = data.elements;
  const isPlace =
    version === VERSION &&
    typeof node === "string" &&
    typeof member === "number" &&
    typeof generation === "number" &&
    typeof secret === "string";
  // Integers of more than 32 bits are decoded as bigints.
  const isNumber = typeof number === "number" || typeof number === "bigint";
  return isPlace && isNumber
    ? { node, member, generation, number: Number(number), secret }
    : undefined;
}
