/**
 * The events of a session, numbered from 1: those that wait, and those that were sent and may have been lost.
 *
 *   forgotten | sent, kept | waiting
 *             ^first       ^sent      ^last
 *
 * Runs on: the shard with the session.
 * Full: `trim` forgets the oldest sent events. Waiting events are limited by the rules for slow clients, which look at
 *       `waitingBytes`.
 */

/** Forgotten events are removed from the front of the list when they are at least half of it, and at least this many. */
const MIN_REMOVED = 64;

/** The events of a session. */
export class KeptEvents {
  #texts: string[] = [];
  #bytes: number[] = [];
  /** Index of the oldest kept event. */
  #start = 0;
  #last = 0;
  #sent = 0;
  #keptBytes = 0;
  #waitingBytes = 0;

  /** Number of the newest event. */
  get last(): number {
    return this.#last;
  }

  /** Number of the newest event that was sent. */
  get sent(): number {
    return this.#sent;
  }

  get hasWaiting(): boolean {
    return this.#sent < this.#last;
  }

  /** Bytes that have not been sent. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Bytes of all events here. */
  get heldBytes(): number {
    return this.#keptBytes + this.#waitingBytes;
  }

  /** Adds the next event, whose number is `last + 1`. */
  push(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.#texts.push(text);
    this.#bytes.push(bytes);
    this.#last += 1;
    this.#waitingBytes += bytes;
  }

  /** Takes waiting events: at least one, and more while they fit. */
  take(maxBytes: number): string {
    let text = "";
    let bytes = 0;
    while (this.#sent < this.#last) {
      const at = this.#indexOf(this.#sent + 1);
      const size = this.#bytes[at] as number;
      if (bytes > 0 && bytes + size > maxBytes) break;
      text += this.#texts[at] as string;
      bytes += size;
      this.#sent += 1;
    }
    this.#waitingBytes -= bytes;
    this.#keptBytes += bytes;
    return text;
  }

  /** Reports whether everything after an event is still here. */
  has(after: number): boolean {
    return Number.isSafeInteger(after) && after >= this.#first - 1 && after <= this.#last;
  }

  /**
   * Goes back to an event that the client has received: those up to it are forgotten, and those after it wait again.
   * `has` must have returned true.
   */
  rewind(after: number): void {
    while (this.#sent > after) {
      const bytes = this.#bytes[this.#indexOf(this.#sent)] as number;
      this.#keptBytes -= bytes;
      this.#waitingBytes += bytes;
      this.#sent -= 1;
    }
    // The client may have received events whose sending is only noted later.
    while (this.#sent < after) this.take(0);
    this.forget(after);
  }

  /** Forgets sent events up to a number. */
  forget(upTo: number): void {
    while (this.#first <= Math.min(upTo, this.#sent)) this.#forgetOne();
    this.#removeForgotten();
  }

  /** Forgets the oldest of the sent events until at most this many bytes of them are left. */
  trim(maxBytes: number): void {
    if (this.#keptBytes <= maxBytes) return;
    while (this.#keptBytes > maxBytes) this.#forgetOne();
    this.#removeForgotten();
  }

  /** Number of the oldest event here. */
  get #first(): number {
    return this.#last - (this.#texts.length - this.#start) + 1;
  }

  #indexOf(number: number): number {
    return this.#start + (number - this.#first);
  }

  #forgetOne(): void {
    this.#keptBytes -= this.#bytes[this.#start] as number;
    this.#texts[this.#start] = "";
    this.#start += 1;
  }

  #removeForgotten(): void {
    if (this.#start < MIN_REMOVED || this.#start * 2 < this.#texts.length) return;
    this.#texts = this.#texts.slice(this.#start);
    this.#bytes = this.#bytes.slice(this.#start);
    this.#start = 0;
  }
}
