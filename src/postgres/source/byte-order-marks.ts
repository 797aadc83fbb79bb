/**
 * Keeps byte order marks (U+FEFF) at the start of values, although the decoder of the package removes one of them.
 *
 *   'I' 'U' 'D', relation (4), then tuples: 'K' 'O' 'N', columns (2), for each: 't' length (4) text | 'b' the same | 'n' | 'u'
 *
 * Runs on: shard, if it leads. Pure functions.
 */

const MARK = Buffer.of(0xef, 0xbb, 0xbf);
const FIRST_TUPLE_OFFSET = 5;
const TEXT = 0x74;
const BINARY = 0x62;

/** Returns a message of a change in which each mark that would be removed is written twice. */
export function withMarksTwice(message: Buffer): Buffer {
  return message.includes(MARK) ? rewritten(message) : message;
}

function rewritten(message: Buffer): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (const { lengthAt, start } of textsIn(message)) {
    if (!message.subarray(start, start + MARK.length).equals(MARK)) continue;
    const length = Buffer.alloc(4);
    length.writeInt32BE(message.readInt32BE(lengthAt) + MARK.length);
    parts.push(message.subarray(from, lengthAt), length, MARK);
    from = start;
  }
  return Buffer.concat([...parts, message.subarray(from)]);
}

/**
 * Finds the texts of all tuples.
 *
 * @yields where the length and the start of a text are
 * @throws RangeError if the message ends too early
 */
function* textsIn(
  message: Buffer,
): Generator<{ readonly lengthAt: number; readonly start: number }> {
  let at = FIRST_TUPLE_OFFSET;
  while (at < message.length) {
    const columns = message.readInt16BE(at + 1);
    at += 3;
    for (let column = 0; column < columns; column += 1) {
      const kind = message.readUInt8(at);
      at += 1;
      if (kind !== TEXT && kind !== BINARY) continue;
      const start = at + 4;
      if (kind === TEXT) yield { lengthAt: at, start };
      at = start + message.readInt32BE(at);
    }
  }
}
