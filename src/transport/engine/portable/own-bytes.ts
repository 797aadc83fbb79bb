/**
 * Bytes that have arrived, in memory of their own.
 *
 * Runs on: shard.
 */

/** Returns bytes as an ArrayBuffer that contains nothing else. They are copied only if theirs contains more. */
export function ownBytesOf(bytes: Buffer): ArrayBuffer {
  const { buffer, byteOffset, length } = bytes;
  if (length === buffer.byteLength) return buffer as ArrayBuffer;
  return buffer.slice(byteOffset, byteOffset + length) as ArrayBuffer;
}
