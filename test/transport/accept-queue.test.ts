/**
 * Which connections are read in which turn. With real ones: `tcp-connections.test.ts`.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";

import { AcceptQueue } from "../../src/transport/accept-queue.ts";
import type { EngineResponse } from "../../src/transport/engine/app-port.ts";
import { NEW_PER_TURN } from "../../src/transport/turn.ts";

/** Records what the queue does with a connection. */
class Connection {
  state: "opened" | "paused" | "read" = "opened";
  reset = (): void => assert.fail("not watched");

  get asResponse(): EngineResponse {
    return {
      pause: () => (this.state = "paused"),
      resume: () => (this.state = "read"),
      onAborted: (aborted: () => void) => (this.reset = aborted),
    } as unknown as EngineResponse;
  }
}

function opened(queue: AcceptQueue, count: number): Connection[] {
  return Array.from({ length: count }, () => {
    const connection = new Connection();
    queue.push(connection.asResponse);
    return connection;
  });
}

function paused(connections: readonly Connection[]): number {
  return connections.filter(({ state }) => state === "paused").length;
}

describe("An accept queue", () => {
  it("pauses connections beyond those that are read in a turn, and resumes as many in each turn, in order", async () => {
    const queue = new AcceptQueue();
    const connections = opened(queue, 2 * NEW_PER_TURN + 1);
    assert.deepEqual([paused(connections), queue.size], [NEW_PER_TURN + 1, NEW_PER_TURN + 1]);
    // The next turn reads those that were not paused.
    await nextTurn();
    assert.equal(queue.size, NEW_PER_TURN + 1);
    await nextTurn();
    assert.deepEqual([paused(connections), connections.at(-1)?.state], [1, "paused"]);
    await nextTurn();
    assert.deepEqual([paused(connections), queue.size], [0, 0]);
  });

  it("pauses all while others wait", async () => {
    const queue = new AcceptQueue();
    const first = opened(queue, NEW_PER_TURN + 1);
    await nextTurn();
    const later = opened(queue, 1);
    assert.deepEqual([paused(first), paused(later)], [1, 1]);
    await nextTurn();
    assert.deepEqual([paused(first), paused(later)], [0, 0]);
  });

  it("forgets those that are reset, which take nobody's turn", async () => {
    const queue = new AcceptQueue();
    const connections = opened(queue, 3 * NEW_PER_TURN);
    const gone = connections.slice(NEW_PER_TURN, 2 * NEW_PER_TURN);
    for (const connection of gone) connection.reset();
    await nextTurn();
    await nextTurn();
    assert.deepEqual(
      [paused(gone), paused(connections), queue.size],
      [NEW_PER_TURN, NEW_PER_TURN, 0],
    );
  });

  it("pauses none of those that open one after another", async () => {
    const queue = new AcceptQueue();
    for (let turn = 0; turn < 3; turn += 1) {
      assert.equal(paused(opened(queue, NEW_PER_TURN)), 0);
      await nextTurn();
    }
  });
});
