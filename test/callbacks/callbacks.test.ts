import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { WaitingBytes } from "../../src/callbacks/waiting-bytes.ts";
import { Callbacks } from "../../src/callbacks/callbacks.ts";
import type { Callee } from "../../src/callbacks/callbacks.ts";
import { isThenable } from "../../src/callbacks/promises.ts";
import { codeOf } from "../../src/errors.ts";
import { Deferred, turn, UNWATCHED } from "../support/world.ts";

/** The part of a channel that `Callbacks` needs. */
function makeChannel(): Callee {
  return {
    topic: "room:1",
    run: 0,
    isBusy: false,
    isRunning: false,
    isScheduled: false,
    isOverfull: false,
    busySince: 0,
    mailbox: undefined,
    owner: { isEnded: false, waitTooMuch: () => {}, dropWaiting: () => {} },
    takesAtOnce: true,
    isWaiting: false,
    takesLetters: true,
    handle: () => {},
    failed: () => {},
    emptied: () => {},
    cork: (work) => work(),
  };
}

/** Awaits a promise for a channel, as a join if a time limit is given. Returns what was called. */
function awaited(
  calls: Callbacks,
  channel: Callee,
  promise: PromiseLike<unknown>,
  joinMs?: number,
): unknown[] {
  const outcomes: unknown[] = [];
  calls.await(
    channel,
    promise,
    (value) => void outcomes.push(["settled", value]),
    (error) => void outcomes.push(["failed", error]),
    joinMs,
  );
  return outcomes;
}

describe("asynchronous callbacks", () => {
  it("mark their channel busy until they settle, and continue once", async () => {
    const calls = new Callbacks({
      maxMailbox: 8,
      handlerTimeoutMs: 1_000,
      waiting: new WaitingBytes(100, Infinity),
      watch: UNWATCHED,
    });
    const channel = makeChannel();
    const callback = new Deferred();
    const outcomes = awaited(calls, channel, callback.promise);
    assert.equal(channel.isBusy, true);
    callback.resolve(7);
    await turn();
    assert.deepEqual(outcomes, [["settled", 7]]);
    assert.equal(channel.isBusy, false);
    calls.checkTimeouts(performance.now() + 10_000);
    assert.equal(outcomes.length, 1);
  });

  it("continue with their rejection", async () => {
    const outcomes = awaited(
      new Callbacks({
        maxMailbox: 8,
        handlerTimeoutMs: 1_000,
        waiting: new WaitingBytes(100, Infinity),
        watch: UNWATCHED,
      }),
      makeChannel(),
      Promise.reject(new Error("x")),
    );
    await turn();
    assert.deepEqual(outcomes, [["failed", new Error("x")]]);
  });

  it("never continue synchronously: the current code has to return first", async () => {
    const calls = new Callbacks({
      maxMailbox: 8,
      handlerTimeoutMs: 1_000,
      waiting: new WaitingBytes(100, Infinity),
      watch: UNWATCHED,
    });
    // oxlint-disable-next-line unicorn/no-thenable
    const eager = { then: (settle: (value: unknown) => void) => settle(1) } as PromiseLike<unknown>;
    const outcomes = awaited(calls, makeChannel(), eager);
    assert.deepEqual(outcomes, []);
    await turn();
    assert.deepEqual(outcomes, [["settled", 1]]);
  });

  it("are ignored once they were forgotten", async () => {
    const calls = new Callbacks({
      maxMailbox: 8,
      handlerTimeoutMs: 1_000,
      waiting: new WaitingBytes(100, Infinity),
      watch: UNWATCHED,
    });
    const channel = makeChannel();
    const [first, second] = [new Deferred(), new Deferred()];
    const firsts = awaited(calls, channel, first.promise);
    calls.forget(channel);
    assert.equal(channel.isBusy, false);
    const seconds = awaited(calls, channel, second.promise);
    first.resolve("late");
    await turn();
    assert.equal(channel.isBusy, true);
    second.resolve("right");
    await turn();
    assert.deepEqual([firsts, seconds], [[], [["settled", "right"]]]);
  });

  it("that exceed their time limit fail with its error, once; others go on", async () => {
    const calls = new Callbacks({
      maxMailbox: 8,
      handlerTimeoutMs: 1_000,
      waiting: new WaitingBytes(100, Infinity),
      watch: UNWATCHED,
    });
    const [late, early] = [makeChannel(), makeChannel()];
    const callback = new Deferred();
    const lates = awaited(calls, late, callback.promise);
    const earlies = awaited(calls, early, new Deferred().promise);
    late.busySince -= 500;
    calls.checkTimeouts(early.busySince + 999);
    const [failed] = lates as [["failed", Error & { code: string }]];
    assert.equal(failed[1].message, "a callback must settle within 1000 (ms)");
    assert.equal(failed[1].code, "SIM_ERR_HANDLER_TIMEOUT");
    assert.deepEqual(earlies, []);
    callback.resolve(1);
    calls.checkTimeouts(early.busySince + 1_001);
    await turn();
    assert.equal(lates.length, 1);
    assert.equal(earlies.length, 1);
  });
});

describe("an asynchronous join", () => {
  it("has a time limit of its own", () => {
    const calls = new Callbacks({
      maxMailbox: 8,
      handlerTimeoutMs: 1_000,
      waiting: new WaitingBytes(100, Infinity),
      watch: UNWATCHED,
    });
    const [usual, patient, open] = [makeChannel(), makeChannel(), makeChannel()];
    const never = new Deferred().promise;
    const usuals = awaited(calls, usual, never, 100);
    const patients = awaited(calls, patient, never, 5_000);
    const opens = awaited(calls, open, never);
    // They started within milliseconds of each other.
    patient.busySince = usual.busySince;
    open.busySince = usual.busySince;
    calls.checkTimeouts(usual.busySince + 99);
    assert.deepEqual([usuals, patients, opens], [[], [], []]);
    calls.checkTimeouts(usual.busySince + 101);
    const [[, error]] = usuals as [["failed", Error & { code: string }]];
    assert.equal(error.message, "a join must settle within 100 (ms)");
    assert.equal(error.code, "SIM_ERR_JOIN_TIMEOUT");
    calls.checkTimeouts(usual.busySince + 1_001);
    assert.deepEqual([patients.length, opens.length], [0, 1]);
    calls.checkTimeouts(usual.busySince + 5_001);
    assert.equal(patients.length, 1);
  });
});

describe("a thenable", () => {
  it("is an object with a method `then`", () => {
    /* oxlint-disable unicorn/no-thenable */
    for (const value of [Promise.resolve(1), { then: () => {} }]) assert.ok(isThenable(value));
    for (const value of [null, undefined, 1, "then", {}, { then: 1 }, () => {}]) {
      assert.equal(isThenable(value), false);
    }
    const hostile = {
      get then(): never {
        throw new Error("getter");
      },
    };
    /* oxlint-enable unicorn/no-thenable */
    assert.equal(isThenable(hostile), false);
    assert.equal(isThenable(new Proxy({}, { has: () => assert.fail("asked") })), false);
  });
});

describe("callbacks that main has ended", () => {
  it("fail their channels, from the inside out, and are handled once", () => {
    const watched: string[] = [];
    const calls = new Callbacks({
      maxMailbox: 8,
      handlerTimeoutMs: 1_000,
      waiting: new WaitingBytes(100, Infinity),
      watch: {
        begins: (topic, event) => watched.push(`begins ${topic} ${event}`),
        ends: (topic, event) => watched.push(`ends ${topic} ${event}`),
      },
    });
    const failed: unknown[] = [];
    const channel = { ...makeChannel(), failed: (event: unknown) => void failed.push(event) };
    calls.run(channel, "outer", () => calls.run(channel, "inner", () => {}, undefined), undefined);
    assert.deepEqual(watched, [
      "begins room:1 outer",
      "begins room:1 inner",
      "ends room:1 inner",
      "begins room:1 outer",
      "ends room:1 outer",
    ]);
    calls.recover();
    assert.deepEqual(failed, []);
    // The recovery runs while both callbacks are on the stack, as if their stack were gone.
    const inside = (): void => calls.recover();
    calls.run(channel, "outer", () => calls.run(channel, "inner", inside, undefined), undefined);
    assert.deepEqual(failed, ["inner", "outer"]);
    calls.recover();
    assert.equal(failed.length, 2);
    assert.equal(channel.isRunning, false);
  });

  it("fail as the last callback of their channel if they were that", () => {
    const calls = new Callbacks({
      maxMailbox: 8,
      handlerTimeoutMs: 1_000,
      waiting: new WaitingBytes(100, Infinity),
      watch: UNWATCHED,
    });
    const channel = { ...makeChannel(), failed: () => assert.fail("failed again") };
    const errors: unknown[] = [];
    const terminate = (): void => {
      calls.recover();
      assert.deepEqual(errors.map(codeOf), ["SIM_ERR_CALLBACK_ENDED"]);
    };
    calls.terminate(
      channel,
      terminate,
      "normal",
      () => {},
      (error) => void errors.push(error),
    );
    assert.equal(errors.length, 1);
  });
});
