/**
 * The sessions of a shard, by number, and what other shards ask of them.
 *
 * Runs on: shard; one instance for all mounts.
 */

import { pack, unpack, type SessionCall } from "./calls.ts";
import { POST_STATUS } from "./post-queue.ts";
import { RemoteReads } from "./remote-reads.ts";
import type { SseSession } from "./sse-session.ts";

const GONE = pack({ kind: "gone" });
/** Code of a client that has closed its connection. */
export const CLIENT_CLOSED = 1_000;

/** The sessions of a shard. */
export class SseSessions {
  readonly #byNumber = new Map<number, SseSession>();
  /** Streams of sessions here that are on other shards, by number. */
  readonly #reads = new Map<number, RemoteReads>();
  /** Numbers of the streams that had ended at the last check. */
  #ended: readonly number[] = [];
  #nextStream = 1;

  get size(): number {
    return this.#byNumber.size;
  }

  /** Bytes that all of them hold. */
  get heldBytes(): number {
    let sum = 0;
    for (const session of this.#byNumber.values()) sum += session.heldBytes;
    return sum;
  }

  find(number: number): SseSession | undefined {
    return this.#byNumber.get(number);
  }

  add(session: SseSession): void {
    this.#byNumber.set(session.number, session);
  }

  remove(session: SseSession): void {
    this.#byNumber.delete(session.number);
  }

  /** Ends the sessions whose clients have been away for too long. */
  check(nowMs: number): void {
    for (const session of this.#byNumber.values()) session.check(nowMs);
    // A stream that has ended stays until the check after the next one, so that its next read learns why it ended.
    for (const stream of this.#ended) this.#reads.delete(stream);
    this.#ended = [...this.#reads.values()]
      .filter(({ isEnded }) => isEnded)
      .map(({ stream }) => stream);
  }

  /** Answers a call of another shard. */
  async answer(request: Uint8Array, signal: AbortSignal): Promise<string> {
    const { head, text } = unpack<SessionCall>(request);
    switch (head.kind) {
      case "attach":
        return this.#attach(head);
      case "read": {
        const reads = this.#reads.get(head.stream);
        return reads ? reads.read(signal) : GONE;
      }
      case "alive":
        return this.#reads.get(head.stream)?.alive() ?? GONE;
      case "post": {
        const session = this.find(head.number);
        const status = session ? await postTo(session, text, head.post) : POST_STATUS.gone;
        return pack({ kind: "status", status });
      }
      default:
        this.find(head.number)?.leave(CLIENT_CLOSED);
        return pack({ kind: "status", status: POST_STATUS.done });
    }
  }

  #attach({ number, after, topics }: SessionCall & { readonly kind: "attach" }): string {
    const session = this.find(number);
    if (!session || !mayResume(session, after, topics)) return GONE;
    const stream = this.#nextStream;
    this.#nextStream += 1;
    const reads = new RemoteReads(stream, session);
    this.#reads.set(stream, reads);
    session.attach(reads, after);
    return pack({ kind: "attached", stream });
  }
}

/** Reports whether a client can go on with a session: with the same topics, or with frames. */
export function mayResume(
  session: SseSession,
  after: number,
  topics: readonly string[] | undefined,
): boolean {
  return session.canResume(after) && JSON.stringify(session.topics) === JSON.stringify(topics);
}

/** Hands the frames of a POST to a session. @returns the status of the answer */
export async function postTo(
  session: SseSession,
  body: string,
  number: number | undefined,
): Promise<number> {
  return session.topics ? POST_STATUS.noFrames : session.post(body, number);
}
