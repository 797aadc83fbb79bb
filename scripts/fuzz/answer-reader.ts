/**
 * Reads HTTP answers from chunks of bytes.
 *
 * Runs on: the fuzzer's process.
 */

/** Called with each answer. @returns whether the next answer has no body, whatever its headers say */
export type OnAnswer = (status: number, body: string) => void;

const HEAD_END = "\r\n\r\n";
const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) /;
const LENGTH = /^content-length: *(\d+)\r?$/im;
const EMPTY_STATUSES = new Set([204, 304]);
const MAX_SHOWN = 200;

/** Reads the answers of one connection, in order. */
export class AnswerReader {
  readonly #onAnswer: OnAnswer;
  readonly #nextIsHead: () => boolean;
  #rest: Buffer = Buffer.alloc(0);
  /** Why the bytes are not answers, if they are not. */
  fault: string | undefined = undefined;

  /** @param nextIsHead - whether the next answer is one to HEAD, which has no body */
  constructor(onAnswer: OnAnswer, nextIsHead: () => boolean) {
    this.#onAnswer = onAnswer;
    this.#nextIsHead = nextIsHead;
  }

  read(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.fault === undefined && this.#readOne());
  }

  #readOne(): boolean {
    const headEnd = this.#rest.indexOf(HEAD_END);
    if (headEnd < 0) return false;
    const head = this.#rest.toString("latin1", 0, headEnd);
    const status = Number(STATUS_LINE.exec(head)?.[1] ?? Number.NaN);
    if (Number.isNaN(status)) {
      this.fault = `the server answered ${JSON.stringify(head.slice(0, MAX_SHOWN))}`;
      return false;
    }
    const hasBody = !this.#nextIsHead() && !EMPTY_STATUSES.has(status);
    const length = hasBody ? Number(LENGTH.exec(head)?.[1] ?? 0) : 0;
    const start = headEnd + HEAD_END.length;
    if (this.#rest.length < start + length) return false;
    const body = this.#rest.toString("utf8", start, start + length);
    this.#rest = this.#rest.subarray(start + length);
    this.#onAnswer(status, body);
    return true;
  }
}
