/**
 * A session between its connection and its streams.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { unpack, type SessionAnswer } from "../../../src/transport/sse/calls.ts";
import { RemoteReads } from "../../../src/transport/sse/remote-reads.ts";
import type { EventSink, StreamEnd } from "../../../src/transport/sse/session-ends.ts";
import { withDefaults } from "../../../src/transport/sse/sse-options.ts";
import { SseSession, type SessionConnection } from "../../../src/transport/sse/sse-session.ts";

/** The connection of a shard. */
class OpenConnection implements SessionConnection {
  readonly number = 1;
  isOpen = true;
  keptBytes = 0;
  takesMore = true;
  closes: (number | undefined)[] = [];
  receive(): boolean {
    return this.takesMore;
  }
  drained(): void {}
  kept(bytes: number): void {
    this.keptBytes += bytes;
  }
  closed(code?: number): void {
    this.isOpen = false;
    this.closes.push(code);
  }
}

/** A stream on this shard, whose client reads when the test says so. */
class Sink implements EventSink {
  isReady = true;
  isPresent = true;
  bufferedBytes = 0;
  readonly texts: string[] = [];
  ended: StreamEnd | undefined = undefined;
  write(text: string): void {
    this.texts.push(text);
  }
  end(why: StreamEnd): void {
    this.ended = why;
  }
}

const ENCODER = { encode: (frame: unknown): string => String(frame), stop: (): void => {} };

function started(given: { resumeMs?: number; keptBytes?: number; heartbeatMs?: number } = {}): {
  session: SseSession;
  connection: OpenConnection;
  isOver: () => boolean;
} {
  let isOver = false;
  const session = new SseSession({
    options: withDefaults(given),
    topics: undefined,
    onEnd: () => {
      isOver = true;
    },
  });
  const connection = new OpenConnection();
  session.begin(connection, ENCODER);
  return { session, connection, isOver: () => isOver };
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe("a session", () => {
  it("writes the events of a turn together", async () => {
    const { session } = started();
    const sink = new Sink();
    session.attach(sink, 0);
    for (const frame of ["a", "b", "c"]) session.send(frame);
    await turn();
    session.send("d");
    await turn();
    assert.deepEqual(sink.texts, ["abc", "d"]);
  });

  it("keeps what its stream has not sent, in addition to what it keeps of what was sent", async () => {
    const { session } = started({ keptBytes: 3 });
    const sink = new Sink();
    session.attach(sink, 0);
    session.send("12345678");
    sink.bufferedBytes = 8;
    await turn();
    assert.equal(session.canResume(0), true);
    assert.equal(session.bufferedBytes, 8);
    sink.bufferedBytes = 0;
    session.flush();
    assert.equal(session.canResume(0), false);
    assert.equal(session.heldBytes, 0);
  });

  it("counts what waits while there is no stream", () => {
    const { session } = started();
    session.send("1234");
    assert.deepEqual([session.bufferedBytes, session.heldBytes], [4, 4]);
  });

  it("counts the POSTs that wait for a busy connection, and tells the node", async () => {
    const { session, connection } = started();
    connection.takesMore = false;
    const posted = session.post("12\n34", undefined);
    assert.deepEqual([session.heldBytes, connection.keptBytes], [5, 5]);
    connection.takesMore = true;
    session.resume();
    assert.equal(await posted, 204);
    assert.equal(session.heldBytes, 0);
  });

  it("forgets what was sent when its stream has gone on for long enough", async () => {
    const { session } = started({ resumeMs: 100, heartbeatMs: 80 });
    const sink = new Sink();
    const nowMs = performance.now();
    session.attach(sink, 0);
    session.send("1234");
    await turn();
    session.check(nowMs + 350);
    assert.equal(session.canResume(0), true);
    // Its client may have noticed only after 200 ms that the stream is cut.
    session.check(nowMs + 500);
    assert.equal(session.canResume(0), true);
    // Not while some of it has not been sent.
    sink.bufferedBytes = 1;
    session.check(nowMs + 700);
    assert.equal(session.canResume(0), true);
    sink.bufferedBytes = 0;
    session.check(nowMs + 710);
    assert.equal(session.canResume(0), false);
    assert.equal(session.canResume(1), true);
  });

  it("ends when its client has been away for too long, and not while it has a stream", () => {
    const { session, connection, isOver } = started({ resumeMs: 100 });
    const nowMs = performance.now();
    const sink = new Sink();
    session.attach(sink, 0);
    session.check(nowMs + 1_000);
    session.check(nowMs + 2_000);
    assert.equal(isOver(), false);
    session.detach(sink);
    session.check(performance.now() + 50);
    assert.equal(isOver(), false);
    session.check(performance.now() + 150);
    assert.equal(isOver(), true);
    assert.deepEqual(connection.closes, [1_006]);
    assert.equal(session.canResume(0), false);
  });

  it("sends everything before it tells the end of its connection", async () => {
    const { session, isOver } = started();
    const sink = new Sink();
    sink.isReady = false;
    session.attach(sink, 0);
    session.send("last");
    session.close(1_012, "");
    await turn();
    assert.deepEqual([sink.texts, sink.ended, isOver()], [[], undefined, false]);
    sink.isReady = true;
    session.flush();
    assert.deepEqual([sink.texts, sink.ended, isOver()], [["last"], "over", true]);
  });

  it("ends after a while if its last events are not read, however often its client comes back", async (test) => {
    let nowMs = 0;
    test.mock.method(performance, "now", () => nowMs);
    const { session, isOver } = started({ resumeMs: 100 });
    session.send("last");
    session.close(1_012, "");
    for (nowMs of [40, 80]) {
      const sink = Object.assign(new Sink(), { isReady: false });
      session.attach(sink, 0);
      session.check(nowMs);
      assert.equal(isOver(), false);
    }
    session.check(100);
    assert.equal(isOver(), true);
  });

  it("keeps its last events for a client whose stream is cut after its connection has ended", async () => {
    for (const [keptBytes, isEnd] of [
      [3, true],
      [4, false],
    ] as const) {
      const { session, isOver } = started({ keptBytes });
      const sink = Object.assign(new Sink(), { isReady: false });
      session.attach(sink, 0);
      session.send("last");
      session.close(1_012, "");
      session.detach(sink);
      assert.equal(isOver(), isEnd);
      if (isEnd) continue;
      const next = new Sink();
      session.attach(next, 0);
      await turn();
      assert.deepEqual([next.texts, next.ended, isOver()], [["last"], "over", true]);
    }
  });

  it("ends with its connection if it has no stream and holds more than it keeps", () => {
    for (const [keptBytes, isEnd] of [
      [3, true],
      [4, false],
    ] as const) {
      const { session, isOver } = started({ keptBytes });
      session.send("1234");
      session.close(1_012, "");
      assert.equal(isOver(), isEnd);
    }
  });

  it("cuts the stream of a client that does not read", () => {
    const { session, isOver } = started();
    const sink = new Sink();
    sink.isReady = false;
    session.attach(sink, 0);
    session.send("unread");
    session.close(1_006, "");
    assert.deepEqual([sink.texts, sink.ended, isOver()], [[], "cut", true]);
  });
});

/** The head of an answer. */
function answerOf(packed: string): SessionAnswer {
  return unpack<SessionAnswer>(Buffer.from(packed)).head;
}

describe("the reads of a stream on another shard", () => {
  const { signal } = new AbortController();

  it("get events at once or when there are some, and count as unsent until the next read", async () => {
    const { session } = started();
    const reads = new RemoteReads(1, session);
    session.attach(reads, 0);
    session.send("1234");
    assert.equal(unpack(Buffer.from(await reads.read(signal))).text, "1234");
    assert.deepEqual([session.bufferedBytes, reads.isPresent], [4, false]);
    const next = reads.read(signal);
    assert.deepEqual([session.bufferedBytes, reads.isPresent], [0, true]);
    session.send("5");
    assert.equal(unpack(Buffer.from(await next)).text, "5");
  });

  it("keep the session while each is answered at once, so that none waits at any check", async (test) => {
    let nowMs = 0;
    test.mock.method(performance, "now", () => nowMs);
    const { session, isOver } = started({ resumeMs: 100 });
    const reads = new RemoteReads(1, session);
    session.attach(reads, 0);
    for (let count = 0; count < 5; count += 1) {
      nowMs += 60;
      session.send("1");
      await reads.read(signal);
      session.check(nowMs);
      assert.deepEqual([reads.isPresent, isOver()], [false, false]);
    }
    session.check(nowMs + 100);
    assert.equal(isOver(), true);
  });

  it("keep the session while the other shard says that the client is there", async (test) => {
    let nowMs = 0;
    test.mock.method(performance, "now", () => nowMs);
    const { session, isOver } = started({ resumeMs: 100 });
    const reads = new RemoteReads(1, session);
    session.attach(reads, 0);
    session.send("1");
    await reads.read(signal);
    for (let count = 0; count < 5; count += 1) {
      nowMs += 60;
      assert.equal(answerOf(reads.alive()).kind, "none");
      session.check(nowMs);
      assert.deepEqual([reads.isPresent, isOver()], [false, false]);
    }
    session.check(nowMs + 100);
    assert.equal(isOver(), true);
    assert.equal(answerOf(reads.alive()).kind, "over");
  });

  it("do not keep the session for a stream that was replaced", (test) => {
    let nowMs = 0;
    test.mock.method(performance, "now", () => nowMs);
    const { session, isOver } = started({ resumeMs: 100 });
    const [first, second] = [new RemoteReads(1, session), new RemoteReads(2, session)];
    session.attach(first, 0);
    session.attach(second, 0);
    nowMs += 100;
    assert.equal(answerOf(first.alive()).kind, "replaced");
    session.check(nowMs);
    assert.equal(isOver(), true);
  });

  it("end with their stream: replaced, over, or given up by the other shard", async () => {
    const { session } = started();
    const streams = [1, 2, 3].map((stream) => new RemoteReads(stream, session));
    const [first, second, third] = streams;
    assert.ok(first && second && third);
    session.attach(first, 0);
    const read = first.read(signal);
    session.attach(second, 0);
    assert.equal(answerOf(await read).kind, "replaced");
    assert.equal(answerOf(await first.read(signal)).kind, "replaced");

    const gone = new AbortController();
    const abandoned = second.read(gone.signal);
    gone.abort();
    assert.equal(answerOf(await abandoned).kind, "gone");
    assert.ok(second.isEnded);

    session.attach(third, 0);
    const last = third.read(signal);
    session.close(1_001, "");
    assert.equal(answerOf(await last).kind, "over");
  });
});
