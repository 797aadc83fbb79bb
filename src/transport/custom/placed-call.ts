/**
 * A call of a custom transport that waits for its answer.
 *
 *   placed --answer--> settled
 *     |-- time limit, abort of the caller's signal, end of a shard --> settled, and the other side is told
 *
 * Runs on: shard; one instance for each call.
 * Owns: its timer and its listener on the caller's signal, until it is settled.
 */

import { makeError, type ErrorCode, type SimurghError } from "../../errors.ts";
import { CALL_STATUS } from "./call-record.ts";
import type { TransportCallOptions } from "./definition.ts";

/** Time limit of a call without one (ms). */
export const CALL_TIMEOUT_MS = 5_000;

/** The longest request or answer (bytes). */
export const MAX_CALL_BYTES = 16_777_216;

/** For each status, the error of the call. Any other status is a failure of the handler. */
const ERROR_OF: Readonly<Record<number, ErrorCode>> = {
  [CALL_STATUS.unknown]: "SIM_ERR_TRANSPORT_UNREACHABLE",
  [CALL_STATUS.gone]: "SIM_ERR_TRANSPORT_UNREACHABLE",
  [CALL_STATUS.busy]: "SIM_ERR_TRANSPORT_BUSY",
  [CALL_STATUS.late]: "SIM_ERR_TRANSPORT_TIMEOUT",
  [CALL_STATUS.tooLarge]: "SIM_ERR_PAYLOAD_TOO_LARGE",
};

/** A call that was placed. */
export class PlacedCall {
  readonly address: string;
  readonly timeoutMs: number;
  readonly promise: Promise<Uint8Array>;
  /** Tells the side that serves it that the caller no longer waits. */
  cancel: (() => void) | undefined = undefined;
  readonly #onSettled: (call: PlacedCall) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #onAbort = (): void => this.#giveUp(this.#signal?.reason);
  #isSettled = false;
  #resolve: (answer: Uint8Array) => void = () => {};
  #reject: (reason: unknown) => void = () => {};

  constructor(
    address: string,
    { timeoutMs = CALL_TIMEOUT_MS, signal }: TransportCallOptions,
    onSettled: (call: PlacedCall) => void,
  ) {
    this.address = address;
    this.timeoutMs = timeoutMs;
    this.#onSettled = onSettled;
    this.#signal = signal;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    // Unreferenced, so that the timer does not keep a closed thread alive.
    this.#timer = setTimeout(() => {
      this.#giveUp(errorOf(CALL_STATUS.late, this));
    }, timeoutMs).unref();
  }

  /** Settles the call with an answer. */
  answer(status: number, body: Uint8Array): void {
    if (!this.#settle()) return;
    if (status === CALL_STATUS.done) this.#resolve(body);
    else this.#reject(errorOf(status, this));
  }

  /** Rejects the call because this shard is closing. */
  abandon(): void {
    this.#giveUp(unreachable("the shard that calls is closing"));
  }

  #giveUp(reason: unknown): void {
    if (!this.#settle()) return;
    this.cancel?.();
    this.#reject(reason);
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#onSettled(this);
    return true;
  }
}

/** Returns the error of a call to an address that does not exist or cannot be reached. */
export function unreachable(message: string): SimurghError {
  return makeError("SIM_ERR_TRANSPORT_UNREACHABLE", message);
}

function errorOf(status: number, { address, timeoutMs }: PlacedCall): SimurghError {
  const code = ERROR_OF[status] ?? "SIM_ERR_TRANSPORT_FAILED";
  return makeError(code, messageOf(code, address, timeoutMs));
}

function messageOf(code: ErrorCode, address: string, timeoutMs: number): string {
  switch (code) {
    case "SIM_ERR_TRANSPORT_UNREACHABLE":
      return `address must be that of a running shard which serves calls of this transport, got ${address}`;
    case "SIM_ERR_TRANSPORT_BUSY":
      return `a call to ${address} found no room, or was given up because the node holds too much`;
    case "SIM_ERR_TRANSPORT_TIMEOUT":
      return `a call to ${address} must be answered within ${timeoutMs} (ms)`;
    case "SIM_ERR_PAYLOAD_TOO_LARGE":
      return `the answer of ${address} must have at most ${MAX_CALL_BYTES} bytes`;
    default:
      return `the handler of a call threw at ${address}; the log of its shard has the error`;
  }
}
