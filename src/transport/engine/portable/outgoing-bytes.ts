/**
 * The frames that wait to be written to one connection, as few pieces of memory.
 *
 * A small frame is a view on memory that it shares with others, so many of them that wait long are copied together. Then
 * they hold no more memory than they count for.
 *
 * Runs on: shard; one for each connection that has ever been sent anything.
 * Full: the WebSocket decides how much may wait.
 */

/** The most that is written at once, so that it is seen whether a slow client reads at all. */
const MAX_WRITE_BYTES = 65_536;
/** A frame of this length shares its memory with no other frame, though possibly with other clients. */
const LARGE_BYTES = 4_096;
/** Number of small frames that wait as they are. */
const MAX_LOOSE_FRAMES = 16;

const NONE: Buffer = Buffer.alloc(0);

/** The waiting frames of a connection, in order. */
export class OutgoingBytes {
  /** The next one: most of the time, there is no other. */
  #first: Uint8Array = NONE;
  #rest: Uint8Array[] = [];
  /** Where the small frames begin in `#rest` that have not been copied together. */
  #looseAt = 0;
  #bytes = 0;

  /** The number of bytes that wait. */
  get length(): number {
    return this.#bytes;
  }

  /** Adds a frame, whose bytes must not change. */
  add(frame: Uint8Array): void {
    if (this.#bytes === 0) this.#first = frame;
    else this.#push(frame);
    this.#bytes += frame.length;
  }

  /** Removes and returns what is to be written next. */
  take(): Uint8Array {
    const first = this.#first;
    if (this.#rest.length === 0 && first.length <= MAX_WRITE_BYTES) {
      this.clear();
      return first;
    }
    if (first.length >= MAX_WRITE_BYTES) {
      const taken = first.subarray(0, MAX_WRITE_BYTES);
      this.#first = first.subarray(MAX_WRITE_BYTES);
      this.#bytes -= taken.length;
      if (this.#first.length === 0) this.#first = this.#shift();
      return taken;
    }
    return this.#takeSome();
  }

  /** Removes all. */
  clear(): void {
    this.#first = NONE;
    if (this.#rest.length > 0) this.#rest = [];
    this.#looseAt = 0;
    this.#bytes = 0;
  }

  #push(frame: Uint8Array): void {
    const rest = this.#rest;
    const isLarge = frame.length >= LARGE_BYTES;
    if (isLarge) this.#join();
    rest.push(frame);
    if (isLarge) this.#looseAt = rest.length;
    else if (rest.length - this.#looseAt > MAX_LOOSE_FRAMES) this.#join();
  }

  /** Copies the small frames at the end together, and to the piece before until that is large. */
  #join(): void {
    const rest = this.#rest;
    const before = rest[this.#looseAt - 1];
    const start = before && before.length < LARGE_BYTES ? this.#looseAt - 1 : this.#looseAt;
    if (rest.length - start > 1) {
      rest.splice(start, rest.length - start, joined(rest, start, rest.length, true));
    }
    this.#looseAt = rest.length;
  }

  #shift(): Uint8Array {
    if (this.#looseAt > 0) this.#looseAt -= 1;
    return this.#rest.shift() ?? NONE;
  }

  #takeSome(): Uint8Array {
    const pieces = [this.#first];
    let bytes = this.#first.length;
    let count = 0;
    for (const piece of this.#rest) {
      if (bytes + piece.length > MAX_WRITE_BYTES) break;
      pieces.push(piece);
      bytes += piece.length;
      count += 1;
    }
    this.#rest.splice(0, count);
    this.#looseAt = Math.max(0, this.#looseAt - count);
    this.#bytes -= bytes;
    this.#first = this.#shift();
    return pieces.length === 1
      ? (pieces[0] as Uint8Array)
      : joined(pieces, 0, pieces.length, false);
  }
}

/** Copies pieces together, into memory that they share with nothing else if they may wait long. */
function joined(
  pieces: readonly Uint8Array[],
  start: number,
  end: number,
  isForLong: boolean,
): Buffer {
  let bytes = 0;
  for (let at = start; at < end; at += 1) bytes += (pieces[at] as Uint8Array).length;
  const whole = isForLong ? Buffer.allocUnsafeSlow(bytes) : Buffer.allocUnsafe(bytes);
  let offset = 0;
  for (let at = start; at < end; at += 1) {
    const piece = pieces[at] as Uint8Array;
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}
