/**
 * One connection of the fuzzer over HTTP, from its opening to its end.
 *
 * It sends one or several requests at once, and checks that each is answered, in order, before it breaks the
 * protocol. After that the server may answer, close, or wait for more. A busy server may also close a connection
 * that has sent a second request before the first was answered (src/transport/FLOODS.md).
 *
 * Runs on: the fuzzer's process.
 */

import type { Random } from "../suites/random.ts";
import { AnswerReader } from "./answer-reader.ts";
import type { Corpus } from "./corpus.ts";
import { LifeSocket, type Life, type LifeResult } from "./life.ts";
import { RequestMaker, type MadeRequest } from "./request-maker.ts";

const MAX_BATCHES = 8;
const REQUESTS_PER_BATCH = 12;
/** How long a connection is kept after the break. */
const BROKEN_MS = 10;

/** Makes the life of a number. */
export function makeHttpLife(random: Random, corpus: Corpus, number: number): Life {
  return {
    run: (port, count) => new Connection(port, number, count).live(random, corpus),
  };
}

class Connection {
  readonly #socket: LifeSocket;
  readonly #count: (requests: number) => void;
  readonly #waiting: MadeRequest[] = [];
  readonly #reader = new AnswerReader(
    (status, body) => this.#onAnswer(status, body),
    () => this.#waiting[0]?.isHead === true,
  );
  #token: string | undefined = undefined;
  #isBroken = false;
  #fault: string | undefined = undefined;

  constructor(port: number, number: number, count: (requests: number) => void) {
    this.#count = count;
    this.#socket = new LifeSocket(port, number, (chunk) => this.#onData(chunk));
  }

  live(random: Random, corpus: Corpus): Promise<LifeResult> {
    const maker = new RequestMaker(random, corpus);
    return this.#socket.during(random, () => this.#liveAll(random, maker));
  }

  async #liveAll(random: Random, maker: RequestMaker): Promise<LifeResult> {
    for (let left = random.between(1, MAX_BATCHES); left > 0; left--) {
      const isAlone = this.#writeBatch(random, maker, left) === 1;
      await this.#socket.until(() => this.#isSettled, "the answers to a batch");
      if (this.#fault !== undefined) return this.#fault;
      if (this.#waiting.length > 0) {
        return isAlone ? `closed without an answer: ${this.#firstWaiting()}` : undefined;
      }
    }
    const { packets, halfCloses } = maker.makeBreaker();
    this.#isBroken = true;
    for (const packet of packets) this.#socket.write(packet);
    if (halfCloses) this.#socket.halfClose();
    this.#count(1);
    await this.#socket.untilOr(() => this.#socket.isClosed, BROKEN_MS);
    return this.#fault;
  }

  get #isSettled(): boolean {
    return this.#socket.isClosed || this.#fault !== undefined || this.#waiting.length === 0;
  }

  /**
   * Writes one request, or several at once: up to the first whose answer may wait, or a numbered one at the end.
   *
   * @returns the number of requests
   */
  #writeBatch(random: Random, maker: RequestMaker, n: number): number {
    const requests: MadeRequest[] = [];
    const isAlone = random.chance(0.5);
    for (let left = isAlone ? 1 : random.between(1, REQUESTS_PER_BATCH); left > 0; left--) {
      const made = maker.make(this.#token);
      requests.push(made);
      if (made.mayWait) break;
    }
    if (!isAlone && requests.at(-1)?.mayWait !== true) requests.push(maker.numbered(n));
    this.#waiting.push(...requests);
    this.#socket.write(Buffer.concat(requests.map(({ bytes }) => bytes)));
    this.#count(requests.length);
    return requests.length;
  }

  #firstWaiting(): string {
    return JSON.stringify(this.#waiting[0]?.bytes.toString("latin1", 0, 300));
  }

  #onData(chunk: Buffer): void {
    if (this.#isBroken) return;
    this.#reader.read(chunk);
    if (this.#reader.fault !== undefined) this.#fault ??= this.#reader.fault;
  }

  #onAnswer(status: number, body: string): void {
    const request = this.#waiting[0];
    if (request === undefined) {
      this.#fault ??= `an answer without a request: ${status} ${body.slice(0, 200)}`;
      return;
    }
    if (request.check?.(status, body) === false) {
      this.#fault ??= `${this.#firstWaiting()} was answered with ${status} ${body.slice(0, 200)}`;
    }
    this.#token = /"token":"([^"]+)"/.exec(body)?.[1] ?? this.#token;
    this.#waiting.shift();
  }
}
