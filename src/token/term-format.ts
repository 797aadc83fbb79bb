/**
 * Numbers of the external term format, and the bounds that reader and writer keep.
 *
 *   131 | tag | ...                        a term
 *   131 | 80 | length u32 | zlib bytes     the same, compressed (the length is that of tag | ...)
 *
 * All numbers are big-endian, but the magnitudes of big integers.
 *
 * Runs on: any thread. Constants only.
 */

/** First byte of every term. */
export const VERSION = 131;

/** Byte that says what follows. Numbers of OTP's own table. */
export const TAG = {
  float: 70,
  bitstring: 77,
  compressed: 80,
  newPid: 88,
  newerReference: 90,
  smallInteger: 97,
  integer: 98,
  atomLatin1: 100,
  reference: 101,
  pid: 103,
  smallTuple: 104,
  largeTuple: 105,
  emptyList: 106,
  byteList: 107,
  list: 108,
  binary: 109,
  smallBig: 110,
  largeBig: 111,
  newReference: 114,
  smallAtomLatin1: 115,
  map: 116,
  atomUtf8: 118,
  smallAtomUtf8: 119,
} as const;

/** Longest term, compressed or not, in bytes. */
export const MAX_TERM_BYTES = 1_048_576;
/** Deepest nesting: a value in a list in a list is three deep. */
export const MAX_DEPTH = 128;
/** Longest integer, in bytes. */
export const MAX_INTEGER_BYTES = 1_024;
