import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { TurnQueue, type TurnTaker } from "../../src/callbacks/turn-queue.ts";
import { turn } from "../support/world.ts";

/** A member of the queue that records whether it runs within its cork. */
interface Member extends TurnTaker {
  readonly name: string;
  isCorked: boolean;
}

function makeChannel(name: string): Member {
  const made: Member = {
    name,
    isScheduled: false,
    isCorked: false,
    cork(work) {
      made.isCorked = true;
      work();
      made.isCorked = false;
    },
  };
  return made;
}

describe("the queue of channels with waiting letters", () => {
  it("runs each of them once, in order, corked, at the end of the loop's turn", async () => {
    const ran: string[] = [];
    const queue = new TurnQueue<Member>((channel) => {
      const { name, isCorked } = channel;
      assert.ok(isCorked);
      ran.push(name);
    });
    const [a, b] = [makeChannel("a"), makeChannel("b")];
    for (const channel of [a, b, a, b, a]) queue.add(channel);
    assert.deepEqual(ran, []);
    await turn();
    assert.deepEqual(ran, ["a", "b"]);
    queue.add(a);
    await turn();
    assert.deepEqual(ran, ["a", "b", "a"]);
  });

  it("runs a channel that is added again during its own turn in the next one", async () => {
    const ran: string[] = [];
    const [a, b] = [makeChannel("a"), makeChannel("b")];
    const queue = new TurnQueue<Member>((channel) => {
      ran.push(channel.name);
      if (ran.length < 4) queue.add(channel);
    });
    queue.add(a);
    queue.add(b);
    await turn();
    assert.deepEqual(ran, ["a", "b", "a", "b", "a"]);
  });

  it("runs the others if one throws", async (test) => {
    const ran: string[] = [];
    const uncaught: unknown[] = [];
    const queue = new TurnQueue<Member>((channel) => {
      const { name } = channel;
      if (name === "bad") throw new Error("bad");
      ran.push(name);
    });
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => void uncaught.push(error));
    test.after(() => {
      process.removeAllListeners("uncaughtException");
      for (const listener of listeners) process.on("uncaughtException", listener);
    });
    const bad = makeChannel("bad");
    for (const channel of [makeChannel("a"), bad, makeChannel("b"), makeChannel("c")]) {
      queue.add(channel);
    }
    await turn();
    assert.deepEqual(ran, ["a", "b", "c"]);
    assert.deepEqual(uncaught, [new Error("bad")]);
    assert.equal(bad.isScheduled, false);
  });

  it("runs those that wait if Node.js has forgotten its immediate", async (test) => {
    const ran: string[] = [];
    const queue = new TurnQueue<Member>(({ name }) => void ran.push(name));
    const immediate = test.mock.method(globalThis, "setImmediate", () => {});
    queue.add(makeChannel("a"));
    queue.add(makeChannel("b"));
    assert.equal(immediate.mock.callCount(), 1);
    immediate.mock.restore();
    queue.recover();
    await turn();
    assert.deepEqual(ran, ["a", "b"]);
  });
});
