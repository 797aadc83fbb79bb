/**
 * The end of a turn of the event loop, when what was sent in it is written: one system call for each connection, however
 * many frames it was sent.
 *
 * Runs on: shard; one for each app.
 */

/** A connection that was sent something in this turn. */
export interface Writer {
  /** Writes it. Must not call user code. */
  flush(): void;
}

/** The connections that are written to at the end of this turn. */
export class TurnEnd {
  readonly #flush = (): void => this.#flushAll();
  #writers: Writer[] = [];
  /** The list of the turn before, to be used again. */
  #spare: Writer[] = [];
  #turn = 1;

  /** The number of this turn. Turns in which nothing is added share one with the next. */
  get turn(): number {
    return this.#turn;
  }

  /** Adds a connection, which must not have been added in this turn. */
  add(writer: Writer): void {
    if (this.#writers.length === 0) setImmediate(this.#flush);
    this.#writers.push(writer);
  }

  #flushAll(): void {
    const writers = this.#writers;
    this.#turn += 1;
    this.#writers = this.#spare;
    for (const writer of writers) writer.flush();
    writers.length = 0;
    this.#spare = writers;
  }
}
