import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, beforeEach, describe, it, mock } from "node:test";

import { Drain, type DrainCounts, type DrainPace } from "../../src/transport/drain.ts";
import { turn } from "../support/world.ts";

interface Fake {
  readonly name: string;
  bufferedBytes: number;
}

let connections: Set<Fake>;
let calls: string[];
let drain: Drain<Fake>;
let batches: unknown[];
let nowMs: number;
/** The next random numbers; 0 when there are no more. */
let chances: number[];
const onBatch = (event: unknown): void => void batches.push(event);

/** Opens connections by name; those with a star have unsent bytes. */
function connect(...names: string[]): Fake[] {
  const made = names.map((name) => ({ name, bufferedBytes: name.endsWith("*") ? 9 : 0 }));
  for (const connection of made) connections.add(connection);
  return made;
}

function close(connection: Fake): void {
  connections.delete(connection);
  drain.closed(connection);
}

/** The client reads all unsent bytes. */
function take(connection: Fake | undefined): void {
  assert.ok(connection);
  connection.bufferedBytes = 0;
  drain.taken(connection);
}

async function pass(ms: number): Promise<void> {
  nowMs += ms;
  mock.timers.tick(ms);
  await turn();
}

/** Starts a drain with so many rounds. */
function begin(rounds: number, pace: Partial<DrainPace> = {}): Promise<DrainCounts> {
  const usual = { intervalMs: 100, spreadMs: 0, deadlineMs: 50, isOfNode: true };
  return drain.run({ ...usual, rounds, ...pace });
}

describe("Drain", () => {
  beforeEach(() => {
    mock.timers.enable({ apis: ["setTimeout"] });
    connections = new Set();
    calls = [];
    batches = [];
    nowMs = 1_000;
    chances = [];
    subscribe("simurgh:socket_drain", onBatch);
    drain = new Drain(
      "test",
      connections,
      {
        restart: (connection) => {
          calls.push(connection.name);
          close(connection);
        },
        cut: (connection) => {
          calls.push(`cut ${connection.name}`);
          close(connection);
        },
      },
      { now: () => nowMs, random: () => chances.shift() ?? 0 },
    );
  });
  afterEach(() => {
    unsubscribe("simurgh:socket_drain", onBatch);
    mock.timers.reset();
  });

  it("ends a batch, pauses, ends the next, and is done after the last", async () => {
    connect("a", "b", "c", "d", "e");
    let isDone = false;
    const done = begin(3).finally(() => (isDone = true));
    await turn();
    assert.deepEqual(calls, ["a", "b"]);
    await pass(99);
    assert.deepEqual(calls, ["a", "b"]);
    await pass(1);
    assert.deepEqual(calls, ["a", "b", "c", "d"]);
    assert.equal(isDone, false);
    await pass(100);
    assert.deepEqual(await done, { connections: 5, closed: 5, cut: 0 });
    assert.deepEqual(calls, ["a", "b", "c", "d", "e"]);
    await pass(1_000);
    assert.equal(calls.length, 5, "nothing is cut afterwards");
    assert.deepEqual(batches, [
      { transport: "test", count: 2, total: 5, index: 0, rounds: 3 },
      { transport: "test", count: 2, total: 5, index: 1, rounds: 3 },
      { transport: "test", count: 1, total: 5, index: 2, rounds: 3 },
    ]);
  });

  it("leaves rounds empty if there are fewer connections than rounds", async () => {
    connect("a", "b", "c");
    void begin(5);
    const seen: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      await turn();
      seen.push(calls.length);
      await pass(100);
    }
    assert.deepEqual(seen, [1, 2, 2, 3, 3]);
    assert.deepEqual(
      batches.map((batch) => (batch as { index: number }).index),
      [0, 1, 3],
    );
  });

  it("counts a connection once that is cut and closes later", async () => {
    const late: Fake[] = [];
    drain = new Drain("test", connections, {
      restart: (connection) => void calls.push(connection.name),
      cut(connection) {
        calls.push(`cut ${connection.name}`);
        // A connection that was cut has nothing left to send.
        connection.bufferedBytes = 0;
        late.push(connection);
      },
    });
    const [slow] = connect("slow*");
    const done = begin(1);
    await turn();
    drain.endAll();
    take(slow);
    drain.endAll();
    for (const connection of late) close(connection);
    assert.deepEqual(await done, { connections: 1, closed: 0, cut: 1 });
    assert.deepEqual(calls, ["cut slow*"]);
  });

  it("spreads a batch over part of the interval, each connection at its own moment", async () => {
    connect("a", "b", "c", "d", "e", "f");
    // First three connections at 0, 20 and 30 ms; then all at 10 ms.
    chances = [0.99, 0, 0.5, 0.25, 0.3, 0.49];
    const done = begin(2, { spreadMs: 40 });
    await turn();
    assert.deepEqual(calls, ["a"]);
    await pass(19);
    assert.deepEqual(calls, ["a"]);
    await pass(1);
    assert.deepEqual(calls, ["a", "b"]);
    await pass(10);
    assert.deepEqual(calls, ["a", "b", "c"]);
    await pass(70);
    assert.deepEqual(calls, ["a", "b", "c"], "the interval counts from the batch's beginning");
    await pass(10);
    assert.deepEqual(await done, { connections: 6, closed: 6, cut: 0 });
  });

  it("skips connections that end by themselves before their batch", async () => {
    const [, , c] = connect("a", "b", "c", "d");
    const done = begin(2);
    await turn();
    close(c as Fake);
    await pass(100);
    assert.deepEqual(calls, ["a", "b", "d"]);
    assert.deepEqual(await done, { connections: 4, closed: 3, cut: 0 });
  });

  it("is done as soon as the last connection has ended by itself", async () => {
    const [a, b] = connect("a*", "b");
    const done = begin(2);
    await turn();
    close(a as Fake);
    close(b as Fake);
    await pass(100);
    assert.deepEqual(await done, { connections: 2, closed: 0, cut: 0 });
    assert.deepEqual(calls, []);
  });

  it("ends a connection with unsent bytes once they are read, but not before its batch", async () => {
    const [early, , late] = connect("a*", "b", "c*");
    void begin(2);
    await turn();
    take(early);
    take(late);
    assert.deepEqual(calls, ["b", "a*"]);
    await pass(100);
    assert.deepEqual(calls, ["b", "a*", "c*"]);
  });

  it("does not end a connection whose client has read only a part", async () => {
    const [one] = connect("a*");
    void begin(1);
    await turn();
    drain.taken(one as Fake);
    assert.deepEqual(calls, []);
  });

  it("cuts connections with unsent bytes at the deadline, and tells the others to reconnect", async () => {
    const [, , c] = connect("a*", "b", "c*");
    const done = begin(3);
    await turn();
    await pass(100);
    await pass(100);
    assert.deepEqual(calls, ["b"]);
    await pass(49);
    assert.deepEqual(calls, ["b"]);
    // The engine has not reported it yet.
    Object.assign(c as Fake, { bufferedBytes: 0 });
    await pass(1);
    assert.deepEqual(calls, ["b", "cut a*", "c*"]);
    assert.deepEqual(await done, { connections: 3, closed: 2, cut: 1 });
  });

  it("continues at the new pace if it is called again during a pause", async () => {
    connect("a", "b", "c", "d*");
    const done = begin(4, { intervalMs: 60_000, deadlineMs: 60_000 });
    await turn();
    assert.deepEqual(calls, ["a"]);
    void begin(1, { intervalMs: 0, deadlineMs: 10 });
    await turn();
    assert.deepEqual(calls, ["a", "b", "c"]);
    await pass(10);
    assert.deepEqual(calls, ["a", "b", "c", "cut d*"]);
    assert.deepEqual(await done, { connections: 4, closed: 3, cut: 1 });
    assert.deepEqual(batches.at(-1), {
      transport: "test",
      count: 3,
      total: 3,
      index: 0,
      rounds: 1,
    });
  });

  it("continues at the new pace if it is called again during a batch", async () => {
    connect("a", "b", "c");
    chances = [0, 0.5, 0.99, 0, 0.1];
    const done = begin(1, { spreadMs: 60_000 });
    await turn();
    assert.deepEqual(calls, ["a"]);
    void begin(2, { intervalMs: 100 });
    await turn();
    assert.deepEqual(calls, ["a", "b"]);
    await pass(100);
    assert.deepEqual(await done, { connections: 3, closed: 3, cut: 0 });
  });

  it("has a new deadline if it is called again after the last batch", async () => {
    connect("a*");
    const done = begin(1, { deadlineMs: 60_000 });
    await turn();
    void begin(1, { deadlineMs: 10 });
    await pass(10);
    assert.deepEqual(calls, ["cut a*"]);
    await done;
  });

  it("ends all connections at once when told to, also during a pause", async () => {
    connect("a", "b", "c*", "d*");
    const done = begin(4, { intervalMs: 60_000, deadlineMs: 60_000 });
    await turn();
    drain.endAll();
    assert.deepEqual(calls, ["a", "b", "cut c*", "cut d*"]);
    assert.deepEqual(await done, { connections: 4, closed: 2, cut: 2 });
  });

  it("does not count connections that ended before it began", async () => {
    connect("a", "b*");
    drain.endAll();
    connect("c");
    assert.deepEqual(await begin(1), { connections: 1, closed: 1, cut: 0 });
  });

  it("lets the event loop turn after 500 connections", async () => {
    connect(...Array.from({ length: 700 }, (_, at) => String(at)));
    void begin(1);
    assert.equal(calls.length, 500);
    await turn();
    assert.equal(calls.length, 700);
  });

  it("is done at once without connections", async () => {
    assert.deepEqual(await begin(3), { connections: 0, closed: 0, cut: 0 });
    assert.deepEqual(batches, []);
  });
});
