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
/** What chance gives next; 0 when there is nothing more. */
let chances: number[];
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

/** The client takes all that was unsent. */
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

/** Begins a drain of so many rounds. */
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

  it("ends a batch, pauses, ends the next, and is done with the last", async () => {
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

  it("of fewer connections than rounds ends one now and then", async () => {
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

  it("spreads those of a batch over a part of the interval, each at its moment", async () => {
    connect("a", "b", "c", "d", "e", "f");
    // The moments of three are 0, 20 and 30 ms; then 10 ms for all.
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

  it("leaves out those that end by themselves before their batch", async () => {
    const [, , c] = connect("a", "b", "c", "d");
    const done = begin(2);
    await turn();
    close(c as Fake);
    await pass(100);
    assert.deepEqual(calls, ["a", "b", "d"]);
    assert.deepEqual(await done, { connections: 4, closed: 3, cut: 0 });
  });

  it("is done as soon as the last one has ended by itself", async () => {
    const [a, b] = connect("a*", "b");
    const done = begin(2);
    await turn();
    close(a as Fake);
    close(b as Fake);
    await pass(100);
    assert.deepEqual(await done, { connections: 2, closed: 0, cut: 0 });
    assert.deepEqual(calls, []);
  });

  it("ends one with unsent bytes once they are taken, but not before its batch", async () => {
    const [early, , late] = connect("a*", "b", "c*");
    void begin(2);
    await turn();
    take(early);
    take(late);
    assert.deepEqual(calls, ["b", "a*"]);
    await pass(100);
    assert.deepEqual(calls, ["b", "a*", "c*"]);
  });

  it("does not end one that has taken a part only", async () => {
    const [one] = connect("a*");
    void begin(1);
    await turn();
    drain.taken(one as Fake);
    assert.deepEqual(calls, []);
  });

  it("cuts who is left at the deadline after the last batch, and tells the others", async () => {
    const [, , c] = connect("a*", "b", "c*");
    const done = begin(3);
    await turn();
    await pass(100);
    await pass(100);
    assert.deepEqual(calls, ["b"]);
    await pass(49);
    assert.deepEqual(calls, ["b"]);
    // The engine has not told so yet.
    Object.assign(c as Fake, { bufferedBytes: 0 });
    await pass(1);
    assert.deepEqual(calls, ["b", "cut a*", "c*"]);
    assert.deepEqual(await done, { connections: 3, closed: 2, cut: 1 });
  });

  it("goes on at the new pace where it is asked again within a pause", async () => {
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

  it("goes on at the new pace where it is asked again within a batch", async () => {
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

  it("has a new deadline where it is asked again after the last batch", async () => {
    connect("a*");
    const done = begin(1, { deadlineMs: 60_000 });
    await turn();
    void begin(1, { deadlineMs: 10 });
    await pass(10);
    assert.deepEqual(calls, ["cut a*"]);
    await done;
  });

  it("ends all at once where it is told to, within a pause too", async () => {
    connect("a", "b", "c*", "d*");
    const done = begin(4, { intervalMs: 60_000, deadlineMs: 60_000 });
    await turn();
    drain.endAll();
    assert.deepEqual(calls, ["a", "b", "cut c*", "cut d*"]);
    assert.deepEqual(await done, { connections: 4, closed: 2, cut: 2 });
  });

  it("counts none that was ended before it began", async () => {
    connect("a", "b*");
    drain.endAll();
    connect("c");
    assert.deepEqual(await begin(1), { connections: 1, closed: 1, cut: 0 });
  });

  it("lets others have a turn after 500", async () => {
    connect(...Array.from({ length: 700 }, (_, at) => String(at)));
    void begin(1);
    assert.equal(calls.length, 500);
    await turn();
    assert.equal(calls.length, 700);
  });

  it("of nobody is done at once", async () => {
    assert.deepEqual(await begin(3), { connections: 0, closed: 0, cut: 0 });
    assert.deepEqual(batches, []);
  });
});
