import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";

import { Levelling, type LevelledThread } from "../../src/server/levelling.ts";
import { dealtThread } from "../support/engine.ts";

interface Thread extends LevelledThread {
  readonly descriptor: number;
  connections: number;
}

let inRotation: Set<number>;
let calls: string[];
let serving: Thread[];
let levelling: Levelling;

function thread(descriptor: number, connections: number): Thread {
  inRotation.add(descriptor);
  const made = { ...dealtThread(descriptor), descriptor, isReady: true, connections };
  serving.push(made);
  return made;
}

describe("Levelling", () => {
  beforeEach(() => {
    mock.timers.enable({ apis: ["setInterval"] });
    inRotation = new Set();
    calls = [];
    serving = [];
    levelling = new Levelling(
      {
        has: ({ descriptor = -1 }) => inRotation.has(descriptor),
        setTurns: ({ descriptor }, turns) => void calls.push(`${descriptor}: ${turns}`),
      },
      serving,
    );
  });
  afterEach(() => {
    levelling.stop();
    mock.timers.reset();
  });

  it("gives two turns until the thread has as many connections as the mean of the others", () => {
    thread(1, 4);
    thread(2, 8);
    const fresh = thread(3, 0);
    levelling.begin(fresh);
    assert.deepEqual(calls.splice(0), ["3: 2"]);
    fresh.connections = 5;
    mock.timers.tick(250);
    assert.deepEqual(calls, []);
    fresh.connections = 6;
    mock.timers.tick(250);
    assert.deepEqual(calls.splice(0), ["3: 1"]);
    fresh.connections = 0;
    mock.timers.tick(1_000);
    assert.deepEqual(calls, []);
  });

  it("gives one turn to a thread that is alone, or if the others have no connections either", () => {
    levelling.begin(thread(1, 0));
    thread(2, 0);
    levelling.begin(thread(3, 0));
    assert.deepEqual(calls, []);
  });

  it("forgets a thread that has left the rotation", () => {
    thread(1, 4);
    levelling.begin(thread(2, 0));
    calls.splice(0);
    inRotation.delete(2);
    mock.timers.tick(250);
    inRotation.add(2);
    mock.timers.tick(250);
    assert.deepEqual(calls, []);
  });

  it("continues for one thread after another is level", () => {
    thread(1, 4);
    const [one, other] = [thread(2, 0), thread(3, 0)];
    levelling.begin(one);
    levelling.begin(other);
    calls.splice(0);
    one.connections = 4;
    mock.timers.tick(250);
    assert.deepEqual(calls.splice(0), ["2: 1"]);
    other.connections = 4;
    mock.timers.tick(250);
    assert.deepEqual(calls, ["3: 1"]);
  });
});
