/**
 * The stream of a session that is on another shard or node: reads its events, and writes them.
 *
 *   read --> wait --> events --> written --> the client has read --> read
 *     |                             +--alive, at intervals--+
 *     +--no answer--> the stream ends, and the client reconnects with the number of its last event
 *
 * Runs on: the shard that has the client's request.
 * Slow: the next read follows when the client has read everything, so at most one batch is here. Until then, the session
 *       is told that the client is there.
 */

import { hasCode } from "../../errors.ts";
import type { TransportHost } from "../custom/definition.ts";
import { pack, unpack, type Packed, type SessionAnswer, type SessionCall } from "./calls.ts";
import { closeEvent } from "./event.ts";
import { READ_WAIT_MS } from "./remote-reads.ts";
import type { SseStream, StreamSource } from "./sse-stream.ts";
import type { SessionPlace } from "./sse-token.ts";

/** What relays need of their shard. */
export type CallingHost = Pick<TransportHost, "call" | "log">;

/** Time for an answer, beyond the time that the other shard may wait (ms). */
const ANSWER_MS = 5_000;
/** Close code for a client whose session is gone. The client connects again. */
const SESSION_GONE = 3_410;
export const GONE_EVENT = closeEvent(SESSION_GONE, "session_gone");

type Answer = Packed<SessionAnswer>;

/** Calls the shard of a session. Rejects if that is not possible. */
export async function ask(
  host: CallingHost,
  place: SessionPlace,
  call: SessionCall,
  options: AskOptions = {},
): Promise<Answer> {
  try {
    return await askOnce(host, place, call, options);
  } catch (error) {
    if (!isUnreachable(error) || !isRepeatable(call)) throw error;
    // The call may have been lost on the way to another node. If its shard has ended, the second one fails immediately.
    return askOnce(host, place, call, options);
  }
}

async function askOnce(
  host: CallingHost,
  { address }: SessionPlace,
  call: SessionCall,
  { text = "", waitMs = 0, signal }: AskOptions,
): Promise<Answer> {
  const options = { timeoutMs: waitMs + ANSWER_MS, ...(signal && { signal }) };
  return unpack<SessionAnswer>(await host.call(address, pack(call, text), options));
}

/** Reports whether a call may be handled twice. A second read would lose the events of the first one. */
function isRepeatable(call: SessionCall): boolean {
  return call.kind === "post" ? call.post !== undefined : call.kind !== "read";
}

/** Options of a call. */
export interface AskOptions {
  readonly text?: string;
  /** Time for which the other shard may wait before it answers (ms). */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

/** Reports whether a call failed because the shard of the session has ended, or cannot be reached. */
export function isUnreachable(error: unknown): boolean {
  return hasCode(error, "SIM_ERR_TRANSPORT_UNREACHABLE");
}

/** A relayed stream. */
export class Relay implements StreamSource {
  readonly #host: CallingHost;
  readonly #place: SessionPlace;
  readonly #stream: number;
  readonly #out: SseStream;
  readonly #gone = new AbortController();
  #isReading = false;
  #isTelling = false;

  /** @param stream - number of the stream, as given by the session */
  constructor(
    host: CallingHost,
    place: SessionPlace,
    { stream, out }: { readonly stream: number; readonly out: SseStream },
  ) {
    this.#host = host;
    this.#place = place;
    this.#stream = stream;
    this.#out = out;
  }

  /** Reads until the stream ends. */
  drained(): void {
    if (!this.#isReading && this.#out.isReady) void this.#read();
  }

  waiting(): void {
    if (!this.#isReading && !this.#isTelling) void this.#tell();
  }

  gone(): void {
    this.#gone.abort();
  }

  /** Tells the session that its client is there. The answer may be that the stream has ended meanwhile. */
  async #tell(): Promise<void> {
    this.#isTelling = true;
    try {
      this.#take(await this.#ask("alive"));
    } catch {
      // The session is told again soon, and the next read shows whether it still exists.
    }
    this.#isTelling = false;
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    while (this.#out.isReady) {
      try {
        this.#take(await this.#ask("read", READ_WAIT_MS));
      } catch (err) {
        if (this.#gone.signal.aborted) break;
        this.#host.log.info({ err }, "a stream of another shard's session was ended: no answer");
        // The session may still exist, and events may have been lost with the answer. So the client reconnects with the
        // number of its last event, and then learns whether the session is gone.
        this.#out.end("over", "");
      }
    }
    this.#isReading = false;
  }

  async #ask(kind: "alive" | "read", waitMs = 0): Promise<Answer> {
    const call = { kind, number: this.#place.number, stream: this.#stream };
    return ask(this.#host, this.#place, call, { waitMs, signal: this.#gone.signal });
  }

  #take({ head, text }: Answer): void {
    switch (head.kind) {
      case "events":
        this.#out.write(text);
        break;
      case "none":
        break;
      case "over":
      case "replaced":
      case "cut":
        this.#out.end(head.kind, text);
        break;
      default:
        this.#out.end("over", GONE_EVENT);
    }
  }
}
