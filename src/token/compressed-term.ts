/**
 * A term that is compressed by zlib: what `term_to_binary` with `compressed` writes.
 *
 * Runs on: any thread. Pure functions.
 * Full:    a term that announces more than MAX_TERM_BYTES is refused before it is inflated, and one
 *          that inflates to more than it announces when it does.
 */

import { inflateSync } from "node:zlib";

import { makeError } from "../errors.ts";
import { MAX_TERM_BYTES } from "./term-format.ts";

/** Where the bytes of zlib start, after version, tag and length. */
const HEAD_BYTES = 6;
const LENGTH_OFFSET = 2;

/**
 * Gives the term inside a compressed one, tag first.
 *
 * @throws SIM_ERR_TERM for one that is not what it announces, or is past the bound
 */
export function inflatedTerm(bytes: Uint8Array): Uint8Array {
  const head = Buffer.from(bytes.subarray(0, HEAD_BYTES));
  const length = head.length < HEAD_BYTES ? 0 : head.readUInt32BE(LENGTH_OFFSET);
  if (length === 0 || length > MAX_TERM_BYTES) {
    const rule = `term must inflate to 1 to ${MAX_TERM_BYTES} (bytes)`;
    throw makeError("SIM_ERR_TERM", `${rule}, got ${length}`);
  }
  const term = tryInflate(bytes.subarray(HEAD_BYTES), length);
  if (term?.length === length) return term;
  const rule = `term must inflate to what it announces, ${length} (bytes)`;
  throw makeError("SIM_ERR_TERM", `${rule}, got ${term ? term.length : "more, or no zlib"}`);
}

function tryInflate(bytes: Uint8Array, maxOutputLength: number): Buffer | undefined {
  try {
    return inflateSync(bytes, { maxOutputLength });
  } catch {
    return undefined;
  }
}
