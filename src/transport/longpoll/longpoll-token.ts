/**
 * The token by which a client's requests find its long-poll session: where it is, signed.
 *
 *   {:v1, node, member, generation, number, secret}
 *     member, generation   which thread of the node has it
 *     number, secret       which session there; the secret is of this session alone
 *
 * Runs on: shard; one for each mount.
 */

import type { Term } from "../../token/terms.ts";
import type { KeyOptions, VerifyOptions } from "../../token/token-options.ts";
import { Token } from "../../token/token.ts";
import type { ShardAddress } from "./forwarding-port.ts";

/** Where a session is. */
export interface LongPollPlace extends ShardAddress {
  /** How often the member's number had been retired when the session began. */
  readonly generation: number;
  /** Number of the connection. */
  readonly number: number;
  readonly secret: string;
}

/** Header of the token. It wins over the parameter. */
export const LONGPOLL_TOKEN_HEADER = "x-phoenix-longpoll-token";
/** Parameter of the token; the last one of a query counts. */
export const LONGPOLL_TOKEN_PARAM = "token";

const SALT = "simurgh long-poll";
const VERSION = Token.atom("v1");

/** Signs and reads the tokens of a mount. */
export class LongPollTokens {
  readonly #secretKeyBase: string;
  readonly #options: VerifyOptions;

  /**
   * @param maxAgeMs - how long a token holds, however often it is used
   * @param crypto - how its key is derived
   */
  constructor(secretKeyBase: string, maxAgeMs: number, crypto: KeyOptions = {}) {
    this.#secretKeyBase = secretKeyBase;
    this.#options = { ...crypto, maxAgeMs };
  }

  sign({ node, member, generation, number, secret }: LongPollPlace): string {
    const data = Token.tuple(VERSION, node, member, generation, number, secret);
    return Token.sign(this.#secretKeyBase, SALT, data, this.#options);
  }

  /** Returns the place that a token names; undefined for a token that is none of ours, or too old. */
  tryRead(token: unknown): LongPollPlace | undefined {
    const read = Token.verify(this.#secretKeyBase, SALT, token, this.#options);
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
  // Beyond 32 bits a term's integers are read as bigints.
  const isNumber = typeof number === "number" || typeof number === "bigint";
  return isPlace && isNumber
    ? { node, member, generation, number: Number(number), secret }
    : undefined;
}
