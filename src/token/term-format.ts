/**
 * Constants of the external term format, and the limits that the encoder and decoder enforce.
 *
 *   131 | tag | ...                        a term
 *   131 | 80 | length u32 | zlib bytes     a compressed term; length is that of tag | ... inflated
 *
 * All numbers are big-endian, except the magnitudes of big integers.
 *
 * Runs on: any thread. Constants only.
 */

/** First byte of every term. */
export const VERSION = 131;

/** Tag bytes, which identify the type of a term; named as in OTP's documentation. */
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

/** Maximum length of a term, before and after inflating (bytes). */
export const MAX_TERM_BYTES = 1_048_576;
/** Maximum nesting depth (levels): a value in a list in a list is at level 3. */
export const MAX_DEPTH = 128;
/** Maximum length of an integer (bytes). */
export const MAX_INTEGER_BYTES = 1_024;
