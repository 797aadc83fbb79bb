import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";

import { Logger } from "../../src/log/logger.ts";
import { drainSettingsOf, type DrainOptions } from "../../src/server/drain-plan.ts";
import { NodeDrain, type DrainedNode, type DrainedThread } from "../../src/server/node-drain.ts";
import type { DrainPace, ShardDrain } from "../../src/shard/control.ts";
import { smallOptions } from "../support/options.ts";
import { Deferred, turn } from "../support/world.ts";

const OPTIONS = smallOptions({
  drainBatch: 2,
  drainJitterPercent: 0,
  drainMs: 300,
  shutdownMs: 70,
});

/** A shard's thread that drains when the test says so. */
class FakeThread implements DrainedThread {
  readonly shard: number;
  readonly connections: number;
  readonly paces: DrainPace[] = [];
  readonly #drained = new Deferred<ShardDrain | undefined>();
  isLate = false;

  constructor(shard: number, connections: number) {
    this.shard = shard;
    this.connections = connections;
  }

  async drain(pace: DrainPace): Promise<ShardDrain | undefined> {
    this.paces.push(pace);
    return this.#drained.promise;
  }

  done(part: Partial<ShardDrain> = {}): void {
    const { connections } = this;
    const usual = { sessions: 0, channels: 0, closed: connections, cut: 0, unsettled: 0 };
    this.#drained.resolve({ connections, ...usual, ...part });
  }

  end(): void {
    this.#drained.resolve(undefined);
  }
}

let calls: string[];
let threads: FakeThread[];
let drain: NodeDrain;
let wasAccepting: boolean;

function begin(options: DrainOptions = {}): ReturnType<NodeDrain["run"]> {
  return drain.run(drainSettingsOf(options, OPTIONS));
}

async function pass(ms: number): Promise<void> {
  mock.timers.tick(ms);
  await turn();
}

describe("the drain of a node", () => {
  beforeEach(() => {
    mock.timers.enable({ apis: ["setTimeout"] });
    calls = [];
    threads = [new FakeThread(0, 3), new FakeThread(1, 4)];
    wasAccepting = true;
    const node: DrainedNode = {
      leave: () => void calls.push("leave"),
      stopAccepting() {
        calls.push("stopAccepting");
        return { threads, wasAccepting };
      },
      refuseClients: () => void calls.push("refuseClients"),
      cut: () => void calls.push("cut"),
    };
    drain = new NodeDrain(node, OPTIONS, new Logger("silent"));
  });
  afterEach(() => {
    mock.timers.reset();
  });

  it("makes the node not ready, ends the rotation, waits for pending sockets, refuses clients, and drains", async () => {
    assert.equal(drain.hasBegun, false);
    const done = begin();
    assert.equal(drain.hasBegun, true);
    await turn();
    assert.deepEqual(calls, ["leave", "stopAccepting"]);
    await pass(99);
    assert.deepEqual(calls, ["leave", "stopAccepting"]);
    await pass(1);
    assert.deepEqual(calls, ["leave", "stopAccepting", "refuseClients"]);
    const pace = { rounds: 4, intervalMs: 1_000, spreadMs: 0, deadlineMs: 300, isOfNode: true };
    assert.deepEqual(
      threads.map(({ paces }) => paces),
      [[pace], [pace]],
      "all shards have as many rounds, whatever their share",
    );
    threads[0]?.done({ sessions: 1, channels: 5, closed: 2, cut: 1 });
    threads[1]?.done({ channels: 6, closed: 3, unsettled: 2 });
    const { durationMs, ...report } = await done;
    assert.equal(typeof durationMs, "number");
    assert.deepEqual(report, {
      connections: 7,
      sessions: 1,
      channels: 11,
      rounds: 4,
      closed: 5,
      cut: 1,
      gone: 1,
      unsettled: 2,
      lateShards: [],
    });
  });

  it("accepts connections for a while if configured", async () => {
    void begin({ drainDelayMs: 5_000 });
    await turn();
    await pass(4_999);
    assert.deepEqual(calls, ["leave"]);
    await pass(1);
    assert.deepEqual(calls, ["leave", "stopAccepting"]);
  });

  it("does not wait for sockets if no shard was in the rotation", async () => {
    wasAccepting = false;
    void begin();
    await turn();
    assert.deepEqual(calls, ["leave", "stopAccepting", "refuseClients"]);
  });

  it("goes on without a shard that is late, and without one that ends", async () => {
    const done = begin();
    await pass(100);
    threads[0]?.end();
    // Three intervals, then the time limits for the last bytes, for `terminate` and for the answer.
    await pass(3_000 + 300 + 70 + 999);
    assert.equal(threads[1]?.isLate, false);
    await pass(1);
    const { connections, rounds, lateShards } = await done;
    assert.deepEqual([connections, rounds, lateShards], [0, 0, [0, 1]]);
    assert.deepEqual(
      threads.map(({ isLate }) => isLate),
      [true, true],
    );
  });

  it("does everything at once if it is hurried before it has begun", async () => {
    drain.hurry();
    void begin({ drainDelayMs: 60_000 });
    await pass(100);
    const [pace] = threads[0]?.paces ?? [];
    assert.deepEqual([pace?.rounds, pace?.spreadMs, pace?.deadlineMs], [1, 0, 0]);
    assert.ok(!calls.includes("cut"));
  });

  it("can be hurried while it still accepts connections", async () => {
    void begin({ drainDelayMs: 60_000 });
    await turn();
    drain.hurry();
    await turn();
    assert.deepEqual(calls, ["leave", "stopAccepting"]);
    await pass(100);
    assert.equal(threads[0]?.paces[0]?.rounds, 1);
  });

  it("can be hurried while it drains: connections that are left are cut, and shards get less time", async () => {
    const done = begin();
    await pass(100);
    threads[0]?.done();
    drain.hurry();
    assert.equal(calls.at(-1), "cut");
    await pass(70 + 999);
    assert.equal(threads[1]?.isLate, false);
    await pass(1);
    assert.deepEqual((await done).lateShards, [1]);
    drain.hurry();
  });

  it("happens once", async () => {
    const done = begin();
    assert.equal(begin({ drainDelayMs: 9 }), done);
    await pass(100);
    for (const thread of threads) thread.done();
    await done;
    assert.equal(begin(), done);
    assert.equal(calls.filter((call) => call === "leave").length, 1);
  });
});
