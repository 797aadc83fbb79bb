/**
 * A session's buffer and its polls, without requests; the test decides on the outcome of each batch.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";

import type { ServedSocket } from "../../../src/socket/served-socket.ts";
import { ConnectionSet } from "../../../src/transport/connection-set.ts";
import { LongPollSession } from "../../../src/transport/longpoll/longpoll-session.ts";
import { STATUS } from "../../../src/transport/longpoll/request.ts";
import type { Settled } from "../../../src/transport/forwarding/answer.ts";
import type { Caller } from "../../../src/transport/longpoll/request.ts";
import { Turn } from "../../../src/transport/turn.ts";
import { TestConnections } from "../../support/connections.ts";
import { LOG_LINES } from "../../../src/log/logger.ts";
import { turn } from "../../support/world.ts";

const WINDOW_MS = 1_000;
const MAX_LENGTH = 100;
const MAX_UNJOINED_BYTES = 32;
const TURN_BUDGET_MS = 10;

/** A poll, and its answers. */
class Poll implements Caller {
  answers: string[] = [];
  settled: Settled | undefined;

  answer(status: number, messages: string, settled?: Settled): void {
    this.answers.push(`${status} ${messages}`);
    this.settled = settled;
  }
}

let session: LongPollSession;
let shared: TestConnections;
let sessions: ConnectionSet<LongPollSession>;
/** The codes with which the socket was ended. */
let ends: number[];
/** The messages that the socket got; each takes the budget of a turn. */
let received: string[];

/** How often the client was found to be slow, and how often the outcome of a batch was unknown. */
function troubles(): readonly [slow: number, unsure: number] {
  const unsure = shared.log.filter(({ text }) => text === LOG_LINES.batchUnsure.text).length;
  return [shared.counter("slowCut"), unsure];
}

function polled(): Poll {
  const poll = new Poll();
  session.poll(poll);
  return poll;
}

describe("a long-poll session", () => {
  beforeEach(() => {
    ends = [];
    shared = new TestConnections({ maxBackpressureBytes: MAX_LENGTH, slowClientMs: 0 });
    sessions = new ConnectionSet("longpoll", shared);
    session = new LongPollSession(1, "secret", {
      sessions,
      windowMs: WINDOW_MS,
      maxWaitingBytes: 1_000,
      maxUnjoinedFrameBytes: MAX_UNJOINED_BYTES,
      turn: new Turn(),
    });
    sessions.add(session);
    received = [];
    const socket = {
      isEnded: false,
      hasJoined: false,
      receiveText: (frame: string) => {
        received.push(frame);
        const end = performance.now() + TURN_BUDGET_MS;
        while (performance.now() < end);
      },
      allChannels: () => [],
      end: (code: number) => ends.push(code),
    };
    session.socket = socket as unknown as ServedSocket;
  });

  it("answers a poll at once with all that waits, texts and bytes", () => {
    session.send("one");
    session.send(Buffer.from("twö"));
    assert.deepEqual(polled().answers, ['200 ["one","twö"]']);
  });

  it("answers a waiting poll with all frames of a turn of the loop", async () => {
    const poll = polled();
    session.send("one");
    session.send("two");
    assert.deepEqual(poll.answers, []);
    await turn();
    assert.deepEqual(poll.answers, ['200 ["one","two"]']);
  });

  it("puts a batch that was not delivered before later frames", () => {
    session.send("one");
    const lost = polled();
    session.send("two");
    lost.settled?.(false);
    assert.deepEqual(polled().answers, ['200 ["one","two"]']);
  });

  it("does not send a batch twice: a poll waits until it is known whether it was delivered", () => {
    session.send("one");
    const first = polled();
    session.send("two");
    const [older, newer] = [polled(), polled()];
    assert.deepEqual([older.answers, newer.answers], [[], []]);
    first.settled?.(true);
    assert.deepEqual([older.answers, newer.answers], [[], ['200 ["two"]']]);
    // A second report changes nothing.
    first.settled?.(false);
    newer.settled?.(true);
    session.send("three");
    assert.deepEqual(polled().answers, ['200 ["three"]']);
  });

  it("ends if it cannot be known whether a batch was delivered, and gives it to no other poll", () => {
    session.send("one");
    const first = polled();
    const second = polled();
    first.settled?.(undefined);
    assert.deepEqual([troubles(), ends, second.answers], [[0, 1], [1006], []]);
  });

  it("has any number of polls waiting, each answered at the end of its window or forgotten, in linear time", () => {
    const count = 100_000;
    const polls = Array.from({ length: count }, polled);
    const startedAtMs = performance.now();
    for (const poll of polls.slice(count / 2).toReversed()) session.forget(poll);
    session.check(startedAtMs + WINDOW_MS);
    const tookMs = performance.now() - startedAtMs;
    const answered = polls.map(({ answers }) => answers.length);
    assert.deepEqual(answered, [...Array(count / 2).fill(1), ...Array(count / 2).fill(0)]);
    // In quadratic time, this takes minutes.
    assert.ok(tookMs < 5_000, `${tookMs} ms`);
  });

  it("answers with 204 when a window is over, and not before", () => {
    const poll = polled();
    session.check(performance.now() + WINDOW_MS - 500);
    assert.deepEqual(poll.answers, []);
    session.check(performance.now() + WINDOW_MS);
    assert.deepEqual(poll.answers, [`${STATUS.none} []`]);
    session.check(performance.now() + WINDOW_MS);
    assert.equal(poll.answers.length, 1);
  });

  it("is inactive 1.5 windows after its last poll, and never while one waits", () => {
    const begun = performance.now();
    assert.equal(session.isInactive(begun + WINDOW_MS * 1.4), false);
    assert.ok(session.isInactive(begun + WINDOW_MS * 1.6));
    const poll = polled();
    assert.equal(session.isInactive(begun + WINDOW_MS * 10), false);
    session.forget(poll);
    assert.ok(session.isInactive(begun + WINDOW_MS * 10));
  });

  it("has no room while a quarter of its limit waits, and tells waiters when there is some", () => {
    let resumed = 0;
    const waiter = {
      resume: (): void => {
        resumed += 1;
      },
    };
    session.send("x".repeat(MAX_LENGTH / 4));
    assert.equal(session.hasRoom, false);
    session.awaitRoom(waiter);
    const ended = { resume: assert.fail };
    session.awaitRoom(ended);
    session.stopAwaiting(ended);
    const poll = polled();
    assert.deepEqual([session.hasRoom, resumed], [false, 0]);
    poll.settled?.(true);
    assert.deepEqual([session.hasRoom, resumed], [true, 1]);
  });

  it("accepts one frame of any length, and none while more than its limit waits", async () => {
    session.send("x".repeat(MAX_LENGTH * 3));
    await turn();
    assert.deepEqual(troubles(), [0, 0]);
    session.send("y");
    session.send("z");
    await turn();
    assert.deepEqual([troubles(), ends, session.heldBytes], [[1, 0], [1006], MAX_LENGTH * 3]);
  });

  it("counts the batch in flight towards its limit", async () => {
    session.send("x".repeat(MAX_LENGTH + 1));
    polled();
    session.send("y");
    await turn();
    assert.deepEqual(troubles(), [1, 0]);
  });

  it("handles the messages of a POST in later turns when the budget of one is spent", async () => {
    const post = new Poll();
    const lines = ['["1"]', '["2"]', '["3"]'];
    session.post(post, Buffer.from(lines.join("\n")), true);
    const counts = new Set([received.length]);
    for (let turns = 0; post.answers.length === 0 && turns < 20; turns += 1) {
      await nextTurn();
      counts.add(received.length);
    }
    assert.deepEqual([...counts], [1, 2, 3]);
    assert.deepEqual(received, lines);
    assert.deepEqual(post.answers, [`${STATUS.done} `]);
  });

  it("takes only small messages before its client has joined a channel", () => {
    const allowed = `["${"x".repeat(MAX_UNJOINED_BYTES - 4)}"]`;
    session.post(new Poll(), Buffer.from(allowed), false);
    assert.deepEqual([received, ends], [[allowed], []]);
    session.post(new Poll(), Buffer.from(`${allowed} `), false);
    assert.deepEqual([received, ends], [[allowed], [1009]]);
  });

  it("ends once, and answers all polls", () => {
    const [older, newer] = [polled(), polled()];
    session.close();
    session.close();
    session.send("too late");
    assert.deepEqual([older.answers, newer.answers], [[`${STATUS.gone} `], [`${STATUS.gone} `]]);
    const left = [sessions.size, shared.counter("connections")];
    assert.deepEqual([left, session.heldBytes, session.isOpen], [[0, 0], 0, false]);
  });
});
