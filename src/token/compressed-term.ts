/**
 * A term compressed with zlib, as written by `term_to_binary` with the option `compressed`.
 *
 * Runs on: any thread. Pure functions.
 * Full:    a term whose announced length exceeds MAX_TERM_BYTES is rejected before it is inflated.
 *          Inflating stops as soon as the output exceeds the announced length.
 */

import { inflateSync } from "node:zlib";

import { makeError } from "../errors.ts";
import { MAX_TERM_BYTES } from "./term-format.ts";

/** Number of bytes before the zlib data: version, tag and length. */
const HEAD_BYTES = 6;
const LENGTH_OFFSET = 2;

/**
 * Returns the term inside a compressed one, starting at its tag.
 *
 * @throws SIM_ERR_TERM if the length differs from the announced length or exceeds the limit
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
