/**
 * Slow clients, with fake WebSockets; the test sets how many bytes are buffered.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { beforeEach, describe, it } from "node:test";
import { setTimeout as timersAfter } from "node:timers/promises";

import * as fc from "fast-check";

import { jsonV2 } from "../../src/protocol/json-v2.ts";
import { ok } from "../../src/callbacks/results.ts";
import { openSocket } from "../../src/socket/open-socket.ts";
import { ChannelRouter } from "../../src/socket/channel-router.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import type { SlowClientPolicy } from "../../src/socket/definition.ts";
import { ConnectionSet } from "../../src/transport/connection-set.ts";
import type { SlowClients } from "../../src/transport/slow-clients.ts";
import { WebSocketConnection } from "../../src/transport/websocket/websocket-connection.ts";
import type { OurWebSocket } from "../../src/transport/websocket/websocket-connection.ts";
import { TestConnections } from "../support/connections.ts";
import { channel, turn, World } from "../support/world.ts";

const MAX_BYTES = 1_000;
const PATIENCE_MS = 50;
const ROUTES = {
  "fast:*": { channel: channel() },
  "latest:*": { channel: channel({ slow: "conflate" }) },
};

/** Results of the engine's `send`. */
const [BUFFERED, SENT, SKIPPED] = [0, 1, 2];

/** A WebSocket of the engine; the test sets how much it has buffered. */
class FakeWebSocket {
  readonly frames: string[] = [];
  readonly topics = new Set<string>();
  buffered = 0;
  looks = 0;
  /** Whether the engine was asked to close it. */
  isClosed = false;
  connection: WebSocketConnection | undefined;
  sendResult = SENT;

  getBufferedAmount(): number {
    this.looks += 1;
    return this.buffered;
  }

  send(frame: string | Uint8Array): number {
    const text = typeof frame === "string" ? frame : Buffer.from(frame).toString("utf8");
    if (this.sendResult !== SKIPPED) this.frames.push(text);
    return this.sendResult;
  }

  ping(): number {
    return this.sendResult;
  }

  subscribe(topic: string): void {
    this.topics.add(topic);
  }

  unsubscribe(topic: string): void {
    this.topics.delete(topic);
  }

  getTopics(): string[] {
    return [...this.topics];
  }

  cork(work: () => void): void {
    work();
  }

  close(): void {
    this.isClosed = true;
    this.connection?.detach();
  }

  get isCut(): boolean {
    return this.connection?.isOpen === false;
  }

  /** Returns the frames that were sent since the last call. */
  taken(): string[] {
    return this.frames.splice(0);
  }
}

interface Client {
  readonly ws: FakeWebSocket;
  readonly connection: WebSocketConnection;
}

let world: World;
let shared: TestConnections;
let connections: ConnectionSet<WebSocketConnection>;
let slowClients: SlowClients<WebSocketConnection>;

/** Lines of the log so far. */
function logged(): string[] {
  return shared.log.map(({ text, fields }) => `${text.slice(0, 29)} ${JSON.stringify(fields)}`);
}

/** A client that has joined topics. */
function joined(policy: SlowClientPolicy, topics: readonly string[] = ["fast:1"]): Client {
  const ws = new FakeWebSocket();
  const held = { isEmpty: true, flush(): void {} };
  const budget = { bytesOf: () => 0 };
  const kind = { connections, held, idleTicks: 0, isCompressed: false, budget };
  const connection = new WebSocketConnection(connections.takeNumber(), kind, 0);
  const definition = defineSocket({ connect: () => ok({}), slowClients: policy });
  const router = new ChannelRouter(ROUTES);
  const limits = { handlerTimeoutMs: 1_000, maxChannels: 8, limiter: undefined };
  const mount = { path: "/socket", definition, router, ...limits };
  const identity = { mount, serializer: jsonV2, assigns: {}, id: null, address: null };
  const socket = openSocket(world.sockets, connection, identity);
  connection.socket = socket;
  connection.attach(ws as unknown as OurWebSocket);
  ws.connection = connection;
  connections.add(connection);
  for (const topic of topics) {
    socket.receiveText(JSON.stringify(["11", "1", topic, "phx_join", {}]));
  }
  ws.taken();
  return { ws, connection };
}

function errorOn(topic: string): string {
  return `["11","11","${topic}","phx_error",{"reason":"client too slow"}]`;
}

function begin(): void {
  world = new World({ channels: {} });
  shared = new TestConnections({ maxBackpressureBytes: MAX_BYTES, slowClientMs: PATIENCE_MS });
  connections = new ConnectionSet("websocket", shared);
  ({ slowClients } = connections);
}

beforeEach(begin);

describe("a slow client", () => {
  it("is told that frames were skipped, even if it is found behind before the turn ends", async () => {
    const { ws, connection } = joined("error");
    slowClients.note(connection, "skipped");
    ws.buffered = MAX_BYTES * 100;
    slowClients.checkAll();
    await turn();
    assert.deepEqual(
      logged().map((line) => /"cause":"(\w+)"/.exec(line)?.[1]),
      ["skipped"],
    );
  });

  it("is over the limit, and has no fewer bytes unsent after its time", () => {
    const { ws } = joined("close");
    ws.buffered = MAX_BYTES;
    for (const ms of [0, 100, 200]) slowClients.checkAll(ms);
    ws.buffered = MAX_BYTES + 1;
    slowClients.checkAll(300);
    slowClients.checkAll(300 + PATIENCE_MS - 1);
    assert.equal(ws.isCut, false);
    slowClients.checkAll(300 + PATIENCE_MS);
    assert.equal(ws.isCut, true);
    assert.equal(shared.counter("slowCut"), 1);
    assert.deepEqual(logged(), [
      'a client reads too slowly: co {"connection":0,"bufferedBytes":1001,"cause":"behind","policy":"close","channels":1}',
    ]);
  });

  it("is not a client that reads some in time, or that was below the limit in between", () => {
    const { ws } = joined("close");
    ws.buffered = 5_000;
    for (const ms of [0, 50, 100, 150, 200]) {
      slowClients.checkAll(ms);
      ws.buffered -= 1;
    }
    ws.buffered = MAX_BYTES;
    slowClients.checkAll(250);
    ws.buffered = 6_000;
    slowClients.checkAll(300);
    assert.equal(ws.isCut, false);
  });

  it("gets no time above eight times the limit", () => {
    const { ws } = joined("close");
    ws.buffered = 8 * MAX_BYTES;
    slowClients.checkAll(0);
    assert.equal(ws.isCut, false);
    ws.buffered += 1;
    slowClients.checkAll(1);
    assert.equal(ws.isCut, true);
  });

  it("is checked when the turn ends, and not before", async () => {
    const { ws, connection } = joined("close");
    ws.buffered = 9 * MAX_BYTES;
    slowClients.note(connection, "behind");
    assert.equal(ws.isCut, false);
    await turn();
    assert.equal(ws.isCut, true);
  });

  it("is found after more than the limit was published, without a tick of the sweep", async () => {
    const { ws } = joined("close");
    ws.buffered = 9 * MAX_BYTES;
    // With the overhead that a frame may have.
    slowClients.published(MAX_BYTES - 32);
    await turn();
    assert.equal(ws.isCut, false);
    slowClients.published(1);
    await turn();
    assert.equal(ws.isCut, true);
  });

  it("is looked for at a tick only if enough was sent since the last check", () => {
    const { ws, connection } = joined("close");
    slowClients.checkAll(0);
    ws.looks = 0;
    slowClients.checkIfDue(1);
    slowClients.published(MAX_BYTES / 2);
    slowClients.checkIfDue(2);
    assert.equal(ws.looks, 0);
    // Of a text only the number of UTF-16 units is known, of at most three bytes each.
    connection.send("x".repeat(MAX_BYTES / 6));
    ws.buffered = MAX_BYTES + 1;
    slowClients.checkIfDue(3);
    slowClients.checkIfDue(3 + PATIENCE_MS);
    assert.equal(ws.isCut, true);
  });

  it("is found by the ticks alone, whatever was sent to whom, and when", () => {
    const step = fc.record({
      to: fc.nat(2),
      bytes: fc.integer({ min: 1, max: MAX_BYTES }),
      isPublished: fc.boolean(),
      taken: fc.nat(MAX_BYTES),
      isTick: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        begin();
        const clients = [joined("error"), joined("error"), joined("error")] as const;
        slowClients.checkAll(0);
        for (const { to, bytes, isPublished, taken, isTick } of steps) {
          const { ws } = clients[to as 0 | 1 | 2];
          ws.buffered = Math.max(ws.buffered - taken, 0) + bytes;
          if (isPublished) slowClients.published(bytes);
          else slowClients.sent(bytes);
          for (const client of clients) client.ws.looks = 0;
          if (!isTick) continue;
          // No time passes, so clients over the limit stay watched.
          slowClients.checkIfDue(0);
          for (const { ws: other } of clients) {
            assert.ok(other.buffered <= MAX_BYTES || other.looks > 0, JSON.stringify(steps));
          }
        }
      }),
    );
  });

  it("is found even if a check ran before the engine's turn ended", () => {
    const { ws } = joined("close");
    slowClients.checkAll(0);
    slowClients.published(MAX_BYTES - 32);
    // Checked in the turn in which it was published: still in the engine, not yet in the connection.
    slowClients.published(1);
    slowClients.checkIfDue(1);
    ws.buffered = MAX_BYTES + 1;
    slowClients.checkIfDue(2);
    slowClients.checkIfDue(2 + PATIENCE_MS);
    assert.equal(ws.isCut, true);
  });

  it("is no longer looked for after a whole turn in which nothing was sent", () => {
    const { ws } = joined("close");
    slowClients.published(MAX_BYTES);
    for (const ms of [1, 2]) slowClients.checkIfDue(ms);
    ws.looks = 0;
    slowClients.checkIfDue(3);
    assert.equal(ws.looks, 0);
  });

  it("is found by its pings too", async () => {
    const { ws, connection } = joined("close");
    slowClients.checkAll(0);
    ws.buffered = 9 * MAX_BYTES;
    connection.ping("sent");
    await turn();
    assert.equal(ws.isCut, false);
    ws.sendResult = BUFFERED;
    connection.ping("kept");
    await turn();
    assert.equal(ws.isCut, true);
  });

  it("is cut if the engine skipped a frame, whatever is buffered", async () => {
    const { ws, connection } = joined("close");
    slowClients.note(connection, "skipped");
    slowClients.note(connection, "behind");
    await turn();
    assert.equal(ws.isCut, true);
    assert.match(logged()[0] ?? "", /"cause":"skipped"/);
  });

  it("is reported to telemetry, with its unsent bytes and the policy", () => {
    const told: unknown[] = [];
    const listen = (event: unknown): void => void told.push(event);
    subscribe("simurgh:slow_client", listen);
    for (const policy of ["close", "error"] as const) {
      const { ws } = joined(policy, ["fast:1", "latest:1"]);
      ws.buffered = 9 * MAX_BYTES;
      slowClients.checkAll(0);
      ws.buffered = 0;
    }
    unsubscribe("simurgh:slow_client", listen);
    const [bufferedBytes, cause] = [9 * MAX_BYTES, "behind"];
    assert.deepEqual(told, [
      { connection: 0, bufferedBytes, cause, policy: "close", channels: 2 },
      { connection: 1, bufferedBytes, cause, policy: "error", channels: 1 },
    ]);
  });

  it("is forgotten when its connection ends", async () => {
    const { ws, connection } = joined("close");
    slowClients.note(connection, "skipped");
    slowClients.forget(connection);
    await turn();
    assert.deepEqual([ws.isCut, shared.counter("slowCut")], [false, 0]);
  });
});

describe("a connection that was cut", () => {
  it("sends nothing more, and is closed by a timer, not by an immediate", async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const { ws, connection } = joined("close");
    connection.cut();
    connection.send("late");
    await turn();
    assert.deepEqual([ws.isCut, ws.isClosed, ws.taken()], [true, false, []]);
    context.mock.timers.tick(1);
    assert.equal(ws.isClosed, true);
  });

  it("is closed at once if the engine calls for it before, and only once", async () => {
    const { ws, connection } = joined("close");
    assert.equal(connection.tryFinishCut(), false);
    connection.cut();
    assert.equal(connection.tryFinishCut(), true);
    assert.equal(ws.isClosed, true);
    ws.isClosed = false;
    await timersAfter(0);
    assert.deepEqual([ws.isClosed, connection.tryFinishCut()], [false, false]);
  });
});

describe("the policy error", () => {
  it("ends the channels on native topics, which get nothing more, and keeps the connection", () => {
    const { ws } = joined("error", ["fast:1", "latest:1", "fast:2"]);
    assert.equal(ws.topics.size, 2);
    ws.buffered = 9 * MAX_BYTES;
    slowClients.checkAll(0);
    assert.deepEqual(ws.taken(), [errorOn("fast:1"), errorOn("fast:2")]);
    assert.deepEqual(
      [ws.topics.size, ws.isCut, shared.counter("slowEnded"), world.count],
      [0, false, 2, 1],
    );
    // One log line for both, and none about a crashed channel.
    assert.equal(shared.log.length, 1);
    assert.deepEqual(world.troubles(), []);
    slowClients.checkAll(1);
    assert.equal(shared.log.length, 1);
  });

  it("keeps frames that the engine refuses, and sends them when there is room, before later ones", async () => {
    const { ws, connection } = joined("error");
    ws.buffered = 20 * MAX_BYTES;
    ws.sendResult = SKIPPED;
    connection.send("one");
    connection.sendEncoded(Buffer.from("two"), false);
    slowClients.note(connection, "skipped");
    await turn();
    ws.sendResult = SENT;
    connection.send("three");
    assert.deepEqual(ws.taken(), []);
    ws.buffered = MAX_BYTES / 4;
    connection.drained();
    assert.deepEqual(ws.taken(), []);
    ws.buffered = 0;
    connection.drained();
    assert.deepEqual(ws.taken(), ["one", "two", errorOn("fast:1"), "three"]);
    connection.send("four");
    assert.deepEqual(ws.taken(), ["four"]);
  });

  it("removes a client from all topics at once when the engine refuses a frame", () => {
    const { ws, connection } = joined("error", ["fast:1", "fast:2"]);
    assert.equal(ws.topics.size, 2);
    ws.sendResult = SKIPPED;
    connection.send("refused");
    // In the same turn, before it counts as slow: what is published now must not overtake the frame.
    assert.deepEqual([ws.topics.size, world.count], [0, 2]);
  });

  it("cuts the connection if even those exceed the limit", async () => {
    const { ws, connection } = joined("error");
    ws.sendResult = SKIPPED;
    connection.send("x".repeat(MAX_BYTES));
    await turn();
    assert.equal(ws.isCut, false);
    connection.send("x");
    await turn();
    assert.equal(ws.isCut, true);
    assert.match(logged()[0] ?? "", /"cause":"full","policy":"close"/);
  });
});

describe("room of a connection", () => {
  it("is there below a quarter of the limit, and waiters are told once", () => {
    const { ws, connection } = joined("close");
    let resumed = 0;
    const waiter = { resume: (): void => void (resumed += 1) };
    ws.buffered = MAX_BYTES / 4;
    assert.equal(connection.hasRoom, false);
    connection.awaitRoom(waiter);
    connection.drained();
    assert.equal(resumed, 0);
    ws.buffered -= 1;
    assert.equal(connection.hasRoom, true);
    connection.drained();
    connection.drained();
    assert.equal(resumed, 1);
  });

  it("lets a waiter wait again from within its callback", () => {
    const { connection } = joined("close");
    let resumed = 0;
    const waiter = {
      resume: (): void => {
        resumed += 1;
        if (resumed < 3) connection.awaitRoom(waiter);
      },
    };
    connection.awaitRoom(waiter);
    for (let n = 0; n < 5; n += 1) connection.drained();
    assert.equal(resumed, 3);
  });

  it("is not reported to waiters that have ended", () => {
    const { connection } = joined("close");
    let resumed = 0;
    const waiter = { resume: (): void => void (resumed += 1) };
    const other = { resume: (): void => void (resumed += 10) };
    connection.stopAwaiting(waiter);
    connection.awaitRoom(waiter);
    connection.awaitRoom(other);
    connection.stopAwaiting(waiter);
    connection.drained();
    assert.equal(resumed, 10);
  });

  it("is not reported to waiters once the connection has ended", () => {
    const { connection } = joined("close");
    let resumed = 0;
    const waiter = { resume: (): void => void (resumed += 1) };
    connection.awaitRoom(waiter);
    connection.detach();
    connection.awaitRoom(waiter);
    connection.drained();
    assert.deepEqual([resumed, connection.hasRoom], [0, false]);
  });

  it("is checked after a frame that the engine kept, not after one that it sent", async () => {
    const { ws, connection } = joined("close");
    ws.buffered = 9 * MAX_BYTES;
    connection.send("sent");
    await turn();
    assert.equal(ws.isCut, false);
    ws.sendResult = BUFFERED;
    connection.send("kept");
    await turn();
    assert.equal(ws.isCut, true);
  });
});
