/**
 * The connections of a transport; the test sets how many bytes are unsent.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { CLOSE } from "../../src/protocol/reserved.ts";
import type { ServedSocket } from "../../src/socket/served-socket.ts";
import { ConnectionSet } from "../../src/transport/connection-set.ts";
import type { SlowConnection } from "../../src/transport/slow-clients.ts";
import { TestConnections } from "../support/connections.ts";
import { atOnce } from "../support/shard.ts";

let shared: TestConnections;
let connections: ConnectionSet<SlowConnection>;
/** How connections ended, in order. */
let ends: string[];

/** Opens a connection with so many unsent bytes. */
function opened(bufferedBytes = 0): SlowConnection {
  const id = connections.takeNumber();
  const ended = (how: string): void => {
    ends.push(`${id} ${how}`);
    connections.remove(connection);
  };
  const socket = { end: (code: number) => ended(String(code)), allChannels: () => [] };
  const connection: SlowConnection = {
    id,
    isOpen: true,
    bufferedBytes,
    heldBytes: bufferedBytes,
    socket: socket as unknown as ServedSocket,
    cork: (work) => work(),
    cut: () => ended("cut"),
  };
  connections.add(connection);
  return connection;
}

describe("the connections of a transport", () => {
  beforeEach(() => {
    shared = new TestConnections({ maxBackpressureBytes: 400_000, slowClientMs: 50 });
    connections = new ConnectionSet("test", shared);
    ends = [];
  });

  it("are numbered, and listed in the order in which they were opened", () => {
    const [first, second] = [opened(), opened()];
    assert.deepEqual([first.id, second.id], [0, 1]);
    assert.deepEqual([...connections], [first, second]);
    assert.deepEqual([...connections.sockets()], [first.socket, second.socket]);
    connections.remove(first);
    assert.deepEqual([[...connections], connections.size], [[second], 1]);
  });

  it("are visited with what waits for user code, which the shard reports once for all transports", () => {
    const { socket } = opened(100);
    assert.ok(socket && shared.waiting.add(socket, 20));
    const visited: number[] = [];
    connections.visitHeld((_, bytes) => void visited.push(bytes));
    assert.deepEqual([visited, connections.maxHeldBytes], [[120], 100]);
  });

  it("are counted with their frames; a published frame counts once per receiver", () => {
    const [first] = [opened(), opened()];
    connections.remove(first);
    connections.received(10);
    connections.sent(20);
    connections.published(3, 30);
    const names = ["connections", "framesIn", "bytesIn", "framesOut", "bytesOut"] as const;
    assert.deepEqual(
      names.map((name) => shared.counter(name)),
      [1, 1, 10, 4, 110],
    );
  });

  it("have room below a quarter of the limit, or 64 KiB", () => {
    assert.equal(connections.roomBytes, 65_536);
    const small = new TestConnections({ maxBackpressureBytes: 1_000, slowClientMs: 50 });
    assert.equal(new ConnectionSet("test", small).roomBytes, 250);
  });

  it("are accepted until they are drained or cut, or the node drains", async () => {
    assert.equal(connections.isDraining, false);
    shared.isDrained = true;
    assert.equal(connections.isDraining, true);
    shared.isDrained = false;
    const cut = new ConnectionSet("test", shared);
    cut.cut();
    assert.equal(cut.isDraining, true);
    const drained = connections.drain(atOnce(1_000));
    assert.equal(connections.isDraining, true);
    assert.deepEqual(await drained, { connections: 0, closed: 0, cut: 0 });
  });

  it("are refused before the first one is told to reconnect", async () => {
    const wereDraining: boolean[] = [];
    const { socket } = opened();
    assert.ok(socket);
    const end = socket.end.bind(socket);
    Object.assign(socket, {
      end(code: number) {
        wereDraining.push(connections.isDraining);
        end(code, { shutdown: "draining" });
      },
    });
    await connections.drain(atOnce(1_000));
    assert.deepEqual([wereDraining, ends], [[true], [`0 ${CLOSE.restart}`]]);
  });

  it("are told to reconnect, or cut if their clients do not read", async () => {
    opened();
    opened(9);
    connections.cut();
    assert.deepEqual(ends, [`0 ${CLOSE.restart}`, "1 cut"]);
    const late = opened(9);
    const drained = connections.drain(atOnce(1_000));
    Object.assign(late, { bufferedBytes: 0 });
    connections.taken(late);
    assert.deepEqual(await drained, { connections: 1, closed: 1, cut: 0 });
    assert.equal(ends.at(-1), `2 ${CLOSE.restart}`);
  });
});
