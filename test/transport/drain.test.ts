import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, beforeEach, describe, it, mock } from "node:test";

import { Drain } from "../../src/transport/drain.ts";
import { turn } from "../support/world.ts";

interface Fake {
  readonly name: string;
  bufferedBytes: number;
}

let connections: Set<Fake>;
let calls: string[];
let drain: Drain<Fake>;
let batches: unknown[];
const onBatch = (event: unknown): void => void batches.push(event);

/** Connects some, by name; one with a star has bytes unsent. */
function connect(...names: string[]): Fake[] {
  const made = names.map((name) => ({ name, bufferedBytes: name.endsWith("*") ? 9 : 0 }));
  for (const connection of made) connections.add(connection);
  return made;
}

function close(connection: Fake): void {
  connections.delete(connection);
  drain.closed(connection);
}

async function pass(ms: number): Promise<void> {
  mock.timers.tick(ms);
  await turn();
}

describe("Drain", () => {
  beforeEach(() => {
    mock.timers.enable({ apis: ["setTimeout"] });
    connections = new Set();
    calls = [];
    batches = [];
    subscribe("simurgh:socket_drain", onBatch);
    drain = new Drain(connections, {
      restart: (connection) => {
        calls.push(connection.name);
        close(connection);
      },
      cutAll: () => {
        calls.push("cut");
        for (const connection of connections) close(connection);
      },
    });
  });
  afterEach(() => {
    unsubscribe("simurgh:socket_drain", onBatch);
    mock.timers.reset();
  });

  it("ends a batch, pauses, ends the next, and is done with the last", async () => {
    connect("a", "b", "c", "d", "e");
    let isDone = false;
    const done = drain
      .run({ batch: 2, intervalMs: 100, deadlineMs: 50 })
      .finally(() => (isDone = true));
    await turn();
    assert.deepEqual(calls, ["a", "b"]);
    await pass(99);
    assert.deepEqual(calls, ["a", "b"]);
    await pass(1);
    assert.deepEqual(calls, ["a", "b", "c", "d"]);
    assert.equal(isDone, false);
    await pass(100);
    await done;
    assert.deepEqual(calls, ["a", "b", "c", "d", "e"]);
    await pass(1_000);
    assert.equal(calls.length, 5, "nothing is cut afterwards");
    assert.deepEqual(batches, [
      { count: 2, total: 5, index: 0, rounds: 3 },
      { count: 2, total: 5, index: 1, rounds: 3 },
      { count: 1, total: 5, index: 2, rounds: 3 },
    ]);
  });

  it("leaves out those that end by themselves before their batch", async () => {
    const [, , c] = connect("a", "b", "c", "d");
    void drain.run({ batch: 2, intervalMs: 100, deadlineMs: 50 });
    await turn();
    close(c as Fake);
    await pass(100);
    assert.deepEqual(calls, ["a", "b", "d"]);
  });

  it("ends one with unsent bytes once they are taken, but not before its batch", async () => {
    const [early, , late] = connect("a*", "b", "c*");
    void drain.run({ batch: 2, intervalMs: 100, deadlineMs: 50 });
    await turn();
    for (const connection of [early, late]) {
      Object.assign(connection as Fake, { bufferedBytes: 0 });
      drain.taken(connection as Fake);
    }
    assert.deepEqual(calls, ["b", "a*"]);
    await pass(100);
    assert.deepEqual(calls, ["b", "a*", "c*"]);
  });

  it("does not end one that has taken a part only", async () => {
    const [one] = connect("a*");
    void drain.run({ batch: 1, intervalMs: 0, deadlineMs: 50 });
    await turn();
    drain.taken(one as Fake);
    assert.deepEqual(calls, []);
  });

  it("cuts what is left at the deadline after the last batch", async () => {
    connect("a*", "b");
    const done = drain.run({ batch: 1, intervalMs: 100, deadlineMs: 50 });
    await turn();
    await pass(100);
    assert.deepEqual(calls, ["b"]);
    await pass(49);
    assert.deepEqual(calls, ["b"]);
    await pass(1);
    assert.deepEqual(calls, ["b", "cut"]);
    await done;
  });

  it("goes on at the new pace where it is asked again within a pause", async () => {
    connect("a", "b", "c", "d*");
    const done = drain.run({ batch: 1, intervalMs: 60_000, deadlineMs: 60_000 });
    await turn();
    assert.deepEqual(calls, ["a"]);
    void drain.run({ batch: Infinity, intervalMs: 0, deadlineMs: 10 });
    await turn();
    assert.deepEqual(calls, ["a", "b", "c"]);
    await pass(10);
    assert.deepEqual(calls, ["a", "b", "c", "cut"]);
    await done;
  });

  it("has a new deadline where it is asked again after the last batch", async () => {
    connect("a*");
    const done = drain.run({ batch: 1, intervalMs: 0, deadlineMs: 60_000 });
    await turn();
    void drain.run({ batch: 1, intervalMs: 0, deadlineMs: 10 });
    await pass(10);
    assert.deepEqual(calls, ["cut"]);
    await done;
  });

  it("lets others have a turn after 500", async () => {
    connect(...Array.from({ length: 700 }, (_, at) => String(at)));
    void drain.run({ batch: Infinity, intervalMs: 0, deadlineMs: 10 });
    assert.equal(calls.length, 500);
    await turn();
    assert.equal(calls.length, 700);
  });

  it("of nobody is done at once, and says that it has begun", async () => {
    assert.equal(drain.hasBegun, false);
    await drain.run({ batch: 1, intervalMs: 100, deadlineMs: 50 });
    assert.equal(drain.hasBegun, true);
    assert.deepEqual(batches, []);
  });
});
