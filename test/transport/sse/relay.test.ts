/**
 * A stream whose session is on another shard: it reads on when its client has read, and ends as it should.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { makeError } from "../../../src/errors.ts";
import type { ResponseStream } from "../../../src/transport/http/response-stream.ts";
import { pack, unpack, type SessionCall } from "../../../src/transport/sse/calls.ts";
import { ask, GONE_EVENT, Relay } from "../../../src/transport/sse/relay.ts";
import { SseStream, SseStreams } from "../../../src/transport/sse/sse-stream.ts";

/** The response to a client that reads when the test says so. */
class Response {
  isOpen = true;
  bufferedBytes = 0;
  readonly pieces: string[] = [];
  last: string | undefined = undefined;
  isCut = false;
  write(piece: string): void {
    this.pieces.push(piece);
  }
  end(piece: string): void {
    this.last = piece;
    this.isOpen = false;
  }
  abort(): void {
    this.isCut = true;
    this.isOpen = false;
  }
}

function write(lines: string[]): (fields: object, text: string) => void {
  return (_fields, text) => lines.push(text);
}

/** The other shard, which answers when the test says so. */
class Other {
  readonly calls: SessionCall[] = [];
  readonly lines: string[] = [];
  readonly log = {
    debug: write(this.lines),
    info: write(this.lines),
    warn: write(this.lines),
    error: write(this.lines),
  };
  signal: AbortSignal | undefined = undefined;
  #settle: { answer(packed: string): void; fail(error: Error): void } | undefined = undefined;

  call(
    _address: string,
    request: string | Uint8Array,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Uint8Array> {
    this.calls.push(unpack<SessionCall>(Buffer.from(request)).head);
    this.signal = signal;
    return new Promise((resolve, reject) => {
      this.#settle = { answer: (packed) => resolve(Buffer.from(packed)), fail: reject };
    });
  }

  async answer(...parts: Parameters<typeof pack>): Promise<void> {
    this.#settle?.answer(pack(...parts));
    await new Promise(setImmediate);
  }

  async fail(code: "SIM_ERR_TRANSPORT_UNREACHABLE" | "SIM_ERR_TRANSPORT_TIMEOUT"): Promise<void> {
    this.#settle?.fail(makeError(code, "as the test wants it"));
    await new Promise(setImmediate);
  }
}

function relayed(): {
  response: Response;
  other: Other;
  streams: SseStreams;
  listener: ReturnType<SseStream["from"]>;
} {
  const [response, other, streams] = [new Response(), new Other(), new SseStreams()];
  const out = new SseStream(response as unknown as ResponseStream, streams, {
    heartbeatMs: 100,
    isRelayed: true,
  });
  const relay = new Relay(other, { address: "there", number: 7 }, { stream: 3, out });
  const listener = out.from(relay);
  relay.drained();
  return { response, other, streams, listener };
}

describe("the stream of a session on another shard", () => {
  it("reads on when its client has read everything", async () => {
    const { response, other, listener } = relayed();
    assert.deepEqual(other.calls, [{ kind: "read", number: 7, stream: 3 }]);
    await other.answer({ kind: "events" }, "one");
    await other.answer({ kind: "none" });
    assert.equal(other.calls.length, 3);
    response.bufferedBytes = 5;
    await other.answer({ kind: "events" }, "two");
    assert.deepEqual([response.pieces, other.calls.length], [["one", "two"], 3]);
    response.bufferedBytes = 0;
    listener.drained?.();
    listener.drained?.();
    assert.equal(other.calls.length, 4);
  });

  it("ends as the session says", async () => {
    for (const [kind, last, isCut] of [
      ["over", "farewell", false],
      ["gone", GONE_EVENT, false],
      ["cut", undefined, true],
    ] as const) {
      const { response, other, streams } = relayed();
      await other.answer({ kind }, "farewell");
      assert.deepEqual([response.last, response.isCut, streams.size], [last, isCut, 0]);
      assert.equal(other.calls.length, 1);
    }
  });

  it("ends without a word if an answer is lost, so that its client comes back to the session", async () => {
    for (const code of ["SIM_ERR_TRANSPORT_UNREACHABLE", "SIM_ERR_TRANSPORT_TIMEOUT"] as const) {
      const { response, other } = relayed();
      await other.fail(code);
      assert.deepEqual([response.last, other.calls.length], ["", 1]);
      assert.deepEqual(other.lines, ["a stream of another shard's session was ended: no answer"]);
    }
  });

  it("tells that its client is there while that has not read everything", async () => {
    const { response, other, streams, listener } = relayed();
    response.bufferedBytes = 5;
    await other.answer({ kind: "events" }, "one");
    other.calls.length = 0;
    const nowMs = performance.now();
    streams.beat(nowMs);
    streams.beat(nowMs);
    assert.deepEqual(other.calls, [{ kind: "alive", number: 7, stream: 3 }]);
    await other.answer({ kind: "none" });
    streams.beat(nowMs);
    assert.deepEqual([other.calls.length, response.isOpen], [2, true]);
    await other.fail("SIM_ERR_TRANSPORT_TIMEOUT");
    assert.equal(response.isOpen, true);
    response.bufferedBytes = 0;
    listener.drained?.();
    streams.beat(nowMs);
    assert.deepEqual(other.calls.at(-1), { kind: "read", number: 7, stream: 3 });
  });

  it("ends if the session was ended while its client did not read", async () => {
    const { response, other, streams } = relayed();
    response.bufferedBytes = 5;
    await other.answer({ kind: "events" }, "one");
    streams.beat(performance.now());
    await other.answer({ kind: "cut" });
    assert.equal(response.isCut, true);
  });

  it("reads no more when its client is gone, or the shard stops", () => {
    const gone = relayed();
    gone.listener.closed?.();
    assert.equal(gone.other.signal?.aborted, true);
    const stopped = relayed();
    stopped.streams.endRelayed();
    assert.deepEqual([stopped.response.last, stopped.other.signal?.aborted], ["", true]);
  });

  it("sends a comment only if nothing else was sent, and the client reads", () => {
    const { response, streams } = relayed();
    const nowMs = performance.now();
    streams.beat(nowMs + 50);
    assert.deepEqual(response.pieces, []);
    response.bufferedBytes = 1;
    streams.beat(nowMs + 200);
    assert.deepEqual(response.pieces, []);
    response.bufferedBytes = 0;
    streams.beat(nowMs + 200);
    assert.deepEqual(response.pieces, [":\n\n"]);
  });
});

describe("a call to the shard of a session", () => {
  const place = { address: "there", number: 7 };
  const post = { kind: "post", number: 7, post: 1 } as const;

  it("is repeated if it may be lost, unless it would be handled twice", async () => {
    for (const [call, times] of [
      [{ kind: "attach", number: 7, after: 0 }, 2],
      [{ kind: "leave", number: 7 }, 2],
      [post, 2],
      [{ ...post, post: undefined }, 1],
      [{ kind: "read", number: 7, stream: 3 }, 1],
    ] as const) {
      const other = new Other();
      const asked = ask(other, place, call);
      asked.catch(() => {});
      for (let count = 0; count < times; count += 1) {
        await other.fail("SIM_ERR_TRANSPORT_UNREACHABLE");
      }
      await assert.rejects(asked, { code: "SIM_ERR_TRANSPORT_UNREACHABLE" });
      assert.equal(other.calls.length, times, call.kind);
    }
  });

  it("is answered by the second if the first was lost", async () => {
    const other = new Other();
    const asked = ask(other, place, post);
    await other.fail("SIM_ERR_TRANSPORT_UNREACHABLE");
    await other.answer({ kind: "status", status: 204 });
    assert.deepEqual((await asked).head, { kind: "status", status: 204 });
  });
});
