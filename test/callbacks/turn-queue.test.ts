import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { Channel } from "../../src/channel/channel.ts";
import { TurnQueue } from "../../src/callbacks/turn-queue.ts";
import { turn } from "../support/world.ts";

/** As much of a channel as gets its turn, and whether it is run within its connection's cork. */
function makeChannel(name: string): Channel & { isCorked: boolean; readonly name: string } {
  const made = {
    name,
    isScheduled: false,
    isCorked: false,
    owner: {
      connection: {
        cork: (work: () => void) => {
          made.isCorked = true;
          work();
          made.isCorked = false;
        },
      },
    },
  };
  return made as unknown as Channel & typeof made;
}

describe("the queue of channels with mail", () => {
  it("gives each its turn once, in order, corked, at the end of the loop's turn", async () => {
    const ran: string[] = [];
    const queue = new TurnQueue((channel) => {
      const { name, isCorked } = channel as ReturnType<typeof makeChannel>;
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

  it("puts a channel that asks again in its own turn into the next one", async () => {
    const ran: string[] = [];
    const [a, b] = [makeChannel("a"), makeChannel("b")];
    const queue = new TurnQueue((channel) => {
      ran.push((channel as typeof a).name);
      if (ran.length < 4) queue.add(channel);
    });
    queue.add(a);
    queue.add(b);
    await turn();
    assert.deepEqual(ran, ["a", "b", "a", "b", "a"]);
  });

  it("gives the others their turn where one throws", async (test) => {
    const ran: string[] = [];
    const uncaught: unknown[] = [];
    const queue = new TurnQueue((channel) => {
      const { name } = channel as ReturnType<typeof makeChannel>;
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
});
