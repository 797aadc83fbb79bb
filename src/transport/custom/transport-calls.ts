/**
 * Calls between the custom transports of shards, of this node and of others.
 *
 * A client's requests may reach any shard, but its connection is on one of them. So a transport sends a request to the
 * transport of the same name on that shard, by the shard's address, and gets an answer. A call to the shard's own address
 * is handled immediately; others are forwarded like the requests of long-poll clients.
 *
 * Runs on: shard; one instance for all custom transports.
 * Owns: the calls that wait here for an answer, and those that handlers are serving.
 * Order: calls of up to 8,000 bytes to one address are handled in order. Longer ones travel in parts, and later
 *        calls may overtake them. Each call is handled at most once. One that was rejected may have been handled.
 * Full: a call is rejected at once if 65,536 wait already, if there is no room for it on the way to the other
 *       thread, or if a shard has 65,536 to serve. If the node holds too much, the largest are given up.
 * Ends: each call has a time limit, on both sides. If a shard of this node ends, calls to it are rejected immediately.
 *       A shard of another node reports its end, unless it crashes; then the time limit applies.
 */

import { isThenable, promised } from "../../callbacks/promises.ts";
import { invalid, invalidOption, isCount, shown } from "../../definition-checks.ts";
import { isInstance, kindOf, makeError } from "../../errors.ts";
import type { BufferVisit } from "../../held-bytes.ts";
import type { Logger } from "../../log/logger.ts";
import type { ResolvedOptions } from "../../options/options.ts";
import { Forwarding } from "../forwarding/forwarding.ts";
import type { ForwardingPort, ShardAddress } from "../forwarding/forwarding-port.ts";
import { SERVICE } from "../forwarding/forwarding-record.ts";
import { CALL_STATUS, packCall, unpackCall } from "./call-record.ts";
import type { TransportCallHandler, TransportCallOptions, TransportHost } from "./definition.ts";
import { MAX_CALL_BYTES, PlacedCall, unreachable } from "./placed-call.ts";
import { ServedCall, type Answer } from "./served-call.ts";
import { drawNonce, TransportAddresses, type TransportAddress } from "./transport-addresses.ts";

/** The parts of a shard that calls use. */
export interface CallingShard {
  readonly logger: Logger;
  readonly options: Pick<ResolvedOptions, "longpollTimeoutMs" | "secretKeyBase">;
}

/** Calls that may wait for an answer, and calls that may be served (for each shard). */
const MAX_CALLS = 65_536;
const MAX_TIMEOUT_MS = 3_600_000;
const NO_BYTES = new Uint8Array(0);

/** The calls of a shard's custom transports. */
export class TransportCalls {
  /** The address of this thread. */
  readonly address: string;
  readonly #port: ForwardingPort;
  readonly #addresses: TransportAddresses;
  readonly #nonce = drawNonce();
  readonly #logger: Logger;
  readonly #forwarding: Forwarding;
  /** Time for a shard of another node to confirm that it has a call, or a part of it (ms). */
  readonly #confirmMs: number;
  readonly #handlers = new Map<string, TransportCallHandler>();
  readonly #placed = new Set<PlacedCall>();
  readonly #served = new Set<ServedCall>();
  /** The last generation of each member of this node that has ended. */
  readonly #gone = new Map<number, number | undefined>();
  readonly #onSettled = (call: PlacedCall): void => void this.#placed.delete(call);
  readonly #onAnswered = (call: ServedCall): void => void this.#served.delete(call);
  #isClosed = false;

  constructor({ logger, options }: CallingShard, port: ForwardingPort) {
    const { address } = port;
    const generation = port.generationOf(address.member) ?? 0;
    this.#addresses = new TransportAddresses(options.secretKeyBase);
    this.address = this.#addresses.pack({ ...address, generation, nonce: this.#nonce });
    this.#port = port;
    this.#logger = logger;
    this.#confirmMs = options.longpollTimeoutMs;
    this.#forwarding = new Forwarding(
      port,
      SERVICE.calls,
      (bytes, caller) => this.#serveForwarded(bytes, (status, body) => caller.answer(status, body)),
      options.longpollTimeoutMs,
    );
  }

  /** Bytes of the calls that wait here, and of their answers. */
  get heldBytes(): number {
    return this.#forwarding.heldBytes;
  }

  visitHeld(visit: BufferVisit): void {
    this.#forwarding.visitHeld(visit);
  }

  /** The number of calls that wait for an answer or are being served. */
  get size(): number {
    return this.#placed.size + this.#served.size + this.#forwarding.size;
  }

  /** Returns the part of a transport's host that is about calls. */
  hostOf(transport: string): Pick<TransportHost, "address" | "call" | "onCall"> {
    return {
      address: this.address,
      call: async (address, request, options = {}) =>
        this.#call(transport, address, request, options),
      onCall: (handler) => this.#onCall(transport, handler),
    };
  }

  /** Handles a record of a call that another shard places or answers. */
  receive(from: ShardAddress, record: Uint8Array): void {
    this.#forwarding.receive(from, record);
  }

  /** Rejects the calls to a member of this node that has ended, and aborts those that it placed. */
  memberGone(member: number): void {
    // The member's generation is raised only when all threads know of its end.
    this.#gone.set(member, this.#port.generationOf(member));
    this.#forwarding.memberGone(member);
  }

  /**
   * Sends records that waited for room, and ends calls that have exceeded their time limit. The signal of a handler is
   * aborted then, even if the message that its caller no longer waits was lost between nodes.
   */
  check(nowMs: number): void {
    this.#forwarding.check(nowMs);
    for (const call of this.#served) if (nowMs >= call.untilMs) call.end(CALL_STATUS.late);
  }

  /** Ends all calls and takes no more, because the shard is about to end. */
  close(): void {
    this.#isClosed = true;
    for (const call of this.#placed) call.abandon();
    for (const call of this.#served) call.end(CALL_STATUS.gone);
  }

  #onCall(transport: string, handler: unknown): void {
    if (typeof handler !== "function") {
      throw invalid(`handler of onCall must be a function, got ${kindOf(handler)}`);
    }
    if (this.#handlers.has(transport)) throw invalid("onCall must be called once, got twice");
    this.#handlers.set(transport, handler as TransportCallHandler);
  }

  /** @throws if an argument is invalid, or the call cannot be placed */
  #call(
    transport: string,
    text: string,
    given: string | Uint8Array,
    options: TransportCallOptions,
  ): Promise<Uint8Array> {
    checkCall(text, given, options);
    const request = ownBytes(given);
    if (request.length > MAX_CALL_BYTES) throw tooLarge(request.length);
    options.signal?.throwIfAborted();
    if (this.#isClosed) throw unreachable("the shard that calls is closing");
    if (this.#placed.size >= MAX_CALLS) {
      throw busy(`at most ${MAX_CALLS} calls of a shard may wait for an answer, got one more`);
    }
    const call = new PlacedCall(text, options, this.#onSettled);
    this.#placed.add(call);
    if (text === this.address) {
      const { timeoutMs } = call;
      const answer: Answer = (status, body) => call.answer(status, body);
      call.cancel = this.#serve(transport, request, timeoutMs, answer);
    } else this.#forward(transport, request, call);
    return call.promise;
  }

  #forward(transport: string, request: Uint8Array, call: PlacedCall): void {
    const { timeoutMs } = call;
    const to = this.#addresses.tryRead(call.address);
    if (!to || !this.#mayExist(to)) {
      call.answer(CALL_STATUS.unknown, NO_BYTES);
      return;
    }
    // Within a node no call is lost, and a blocked thread may still answer in time.
    const confirmMs = this.#isNear(to) ? Infinity : this.#confirmMs;
    const limits = { confirmMs, answerMs: Infinity, lateStatus: CALL_STATUS.late };
    const bytes = packCall({ nonce: to.nonce, timeoutMs, transport, request });
    const caller: { answer: Answer } = { answer: (status, body) => call.answer(status, body) };
    call.cancel = this.#forwarding.tryForward(to, to.generation, bytes, caller, limits);
    if (!call.cancel) call.answer(CALL_STATUS.busy, NO_BYTES);
  }

  #isNear({ node }: TransportAddress): boolean {
    return node === this.#port.address.node;
  }

  /** Returns false if the thread is known to have ended, or its node cannot be reached. */
  #mayExist(to: TransportAddress): boolean {
    if (!this.#isNear(to)) return this.#port.reaches(to.node);
    // It has the number of this thread, but is not its address, so it belongs to an earlier thread.
    if (to.member === this.#port.address.member) return false;
    if (this.#gone.get(to.member) === to.generation) return false;
    return this.#port.generationOf(to.member) === to.generation;
  }

  #serveForwarded(bytes: Uint8Array, answer: Answer): () => void {
    const { nonce, timeoutMs, transport, request } = unpackCall(bytes);
    if (nonce === this.#nonce) return this.#serve(transport, request, timeoutMs, answer);
    answer(CALL_STATUS.unknown, NO_BYTES);
    return () => {};
  }

  /** @returns a function to call if the caller no longer waits */
  #serve(transport: string, request: Uint8Array, timeoutMs: number, answer: Answer): () => void {
    const handler = this.#handlers.get(transport);
    if (!handler || this.#isClosed) answer(CALL_STATUS.unknown, NO_BYTES);
    else if (this.#served.size >= MAX_CALLS) answer(CALL_STATUS.busy, NO_BYTES);
    else {
      const call = new ServedCall(performance.now() + timeoutMs, answer, this.#onAnswered);
      this.#served.add(call);
      this.#handle(transport, handler, request, call);
      return () => call.abort();
    }
    return () => {};
  }

  #handle(
    transport: string,
    handler: TransportCallHandler,
    request: Uint8Array,
    call: ServedCall,
  ): void {
    const failed = (err: unknown): void => {
      if (call.isEnded) return;
      this.#logger.log("transportFailed", { transport, err });
      call.end(CALL_STATUS.failed);
    };
    const finish = (result: unknown): void => {
      if (call.isEnded) return;
      if (typeof result !== "string" && !isInstance(result, Uint8Array)) failed(badAnswer(result));
      else {
        const body = ownBytes(result);
        if (body.length > MAX_CALL_BYTES) call.end(CALL_STATUS.tooLarge);
        else call.end(CALL_STATUS.done, body);
      }
    };
    try {
      const result: unknown = handler(request, call);
      if (isThenable(result)) void promised(result).then(finish).catch(failed);
      else finish(result);
    } catch (error) {
      failed(error);
    }
  }
}

function checkCall(
  address: unknown,
  request: unknown,
  { timeoutMs, signal }: { readonly timeoutMs?: unknown; readonly signal?: unknown },
): void {
  if (typeof address !== "string") {
    throw invalidOption(`address must be a string, got ${kindOf(address)}`);
  }
  if (typeof request !== "string" && !isInstance(request, Uint8Array)) {
    throw invalidOption(`request must be a string or a Uint8Array, got ${kindOf(request)}`);
  }
  if (timeoutMs !== undefined && !isCount(timeoutMs, MAX_TIMEOUT_MS)) {
    const rule = `timeoutMs must be an integer from 1 to ${MAX_TIMEOUT_MS} (ms)`;
    throw invalidOption(`${rule}, got ${shown(timeoutMs)}`);
  }
  if (signal !== undefined && !isInstance(signal, AbortSignal)) {
    throw invalidOption(`signal must be an AbortSignal, got ${kindOf(signal)}`);
  }
}

/** Returns bytes that nobody else changes. */
function ownBytes(given: string | Uint8Array): Uint8Array {
  return typeof given === "string" ? Buffer.from(given) : new Uint8Array(given);
}

function tooLarge(bytes: number): Error {
  const message = `request must have at most ${MAX_CALL_BYTES} bytes, got ${bytes}`;
  return makeError("SIM_ERR_PAYLOAD_TOO_LARGE", message);
}

function busy(message: string): Error {
  return makeError("SIM_ERR_TRANSPORT_BUSY", message);
}

function badAnswer(result: unknown): Error {
  const message = `onCall must return a string or a Uint8Array, got ${kindOf(result)}`;
  return makeError("SIM_ERR_BAD_RESULT", message);
}
