/**
 * A term compressed with zlib, as `term_to_binary` writes it with the option `compressed`.
 *
 * Runs on: any thread. Pure functions.
 * Full:    a term that announces more than MAX_TERM_BYTES is refused before it is inflated. Inflating
 *          stops as soon as there is more than the term announces.
 */

import { inflateSync } from "node:zlib";

import { makeError } from "../errors.ts";
import { MAX_TERM_BYTES } from "./term-format.ts";

/** Bytes before zlib's: version, tag and length. */
const HEAD_BYTES = 6;
const LENGTH_OFFSET = 2;

/**
 * Returns the term inside a compressed one, starting at its tag.
 *
 * @throws SIM_ERR_TERM if its length is not as announced, or above the bound
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
