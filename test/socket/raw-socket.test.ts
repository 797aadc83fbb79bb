/**
 * Raw sockets without a transport: which callbacks run, in which order, and what ends a socket.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";

import { reply, stop } from "../../src/callbacks/results.ts";
import type { ExitReason } from "../../src/callbacks/results.ts";
import { ok } from "../../src/callbacks/results.ts";
import type { Lane } from "../../src/channel/lane.ts";
import { closeWith } from "../../src/socket/close-with.ts";
import { defineRawSocket } from "../../src/socket/raw-definition.ts";
import type { RawSocketCallbacks } from "../../src/socket/raw-definition.ts";
import { RawSocket } from "../../src/socket/raw-socket.ts";
import type { TestMember } from "../support/members.ts";
import { RecordingConnection, RecordingPublisher } from "../support/recording-connection.ts";
import { unreadableOf } from "../support/whatever.ts";
import { CONTEXT, Deferred, turn, World, type LogEntry } from "../support/world.ts";

type Callbacks = RawSocketCallbacks<object>;

/** One raw socket, on a connection that records what it is sent. */
interface RawWorld {
  readonly socket: RawSocket;
  readonly connection: RecordingConnection;
  readonly world: World;
  readonly member: TestMember<Lane>;
  readonly ends: ExitReason[];
  readonly log: readonly LogEntry[];
}

function makeWorld(callbacks: Partial<Callbacks> = {}, id: string | null = null): RawWorld {
  const ends: ExitReason[] = [];
  const world = new World({ channels: {}, maxMailbox: 1_000 });
  const definition = defineRawSocket<object>({
    connect: () => ok({}),
    handleIn: (_, frame) => reply("ok", frame),
    ...callbacks,
    terminate(socket, reason) {
      ends.push(reason);
      return callbacks.terminate?.(socket, reason);
    },
  });
  const mount = { path: "/raw", definition, handlerTimeoutMs: 1_000 };
  const connection = new RecordingConnection(
    7,
    new RecordingPublisher(),
    { isNative: true, isCompressed: false },
    (_, code) => socket.closed(code),
  );
  const socket = new RawSocket(world.sockets, connection, { mount, state: { n: 1 }, id });
  socket.opened();
  return { socket, connection, world, member: world.member, ends, log: world.log };
}

describe("a raw socket", () => {
  it("has its number, its state, and the shard's context", () => {
    const { socket } = makeWorld({}, "users:1");
    const { number, shard, context, transport, id, state, isOpen, hasRoom } = socket;
    assert.deepEqual(
      [number, shard, transport, id, state],
      [7, 0, "recording", "users:1", { n: 1 }],
    );
    assert.deepEqual([context, isOpen, hasRoom], [CONTEXT, true, true]);
  });

  it("has no mailbox, timer or set before one is used", () => {
    const { socket } = makeWorld();
    socket.receiveText("hi");
    const { mailbox, timers, topics, idListener, onIdle } = socket;
    assert.deepEqual([mailbox, timers, topics, idListener, onIdle], Array(5).fill(undefined));
  });

  it("handles a message to itself after the callback that sends it", () => {
    const order: unknown[] = [];
    const { socket } = makeWorld({
      handleIn(each, { data }) {
        each.send(1);
        each.send(2);
        order.push(data);
      },
      handleInfo: (_, message) => void order.push(message),
    });
    socket.receiveText("first");
    assert.deepEqual(order, ["first", 1, 2]);
  });

  it("lets others have their turn if it keeps sending to itself", async () => {
    let count = 0;
    const { socket, connection, ends } = makeWorld({
      handleInfo(each) {
        count += 1;
        each.send("again");
      },
    });
    socket.send("begin");
    const first = count;
    assert.ok(first <= 130, `${first} at once`);
    await turn();
    assert.ok(count > first);
    connection.lose();
    assert.deepEqual(ends, []);
    await turn();
    assert.deepEqual(ends, ["closed"]);
  });

  it("handles what had arrived when its connection ends, and nothing later", async () => {
    const seen: unknown[] = [];
    const gate = new Deferred<void>();
    const { socket, connection, ends } = makeWorld({
      async handleIn(_, { data }) {
        seen.push(data);
        await gate.promise;
        return reply("ok", "never sent");
      },
    });
    socket.receiveText("one");
    socket.receiveText("two");
    connection.lose(1000);
    socket.receiveText("three");
    socket.send("four");
    assert.deepEqual(ends, []);
    gate.resolve();
    await turn();
    assert.deepEqual(seen, ["one", "two"]);
    assert.deepEqual(ends, ["remote"]);
    assert.deepEqual(connection.taken(), []);
  });

  it("drops what waits if a callback fails or stops", async () => {
    for (const end of [
      () => stop("normal"),
      () => closeWith(4000),
      () => {
        throw new Error("boom");
      },
    ]) {
      const seen: unknown[] = [];
      const { socket, ends } = makeWorld({
        async handleIn(_, { data }) {
          await Promise.resolve();
          seen.push(data);
          return end();
        },
      });
      socket.receiveText("one");
      socket.receiveText("two");
      await turn();
      assert.deepEqual(seen, ["one"]);
      assert.equal(ends.length, 1);
    }
  });

  it("ends at once if it stops, even if its connection ends a little later", async () => {
    const seen: unknown[] = [];
    const raw = makeWorld({
      handleIn(_, { data }) {
        seen.push(data);
        return closeWith(4000);
      },
      handleInfo: (_, message) => void seen.push(message),
    });
    const { connection, ends } = raw;
    // As over long-poll: the request that carried the frame is answered first.
    const plain = new RecordingConnection(
      8,
      new RecordingPublisher(),
      { isNative: false, isCompressed: false },
      () => {},
    );
    const socket = new RawSocket(raw.world.sockets, plain, { ...raw.socket.identity, id: null });
    socket.opened();
    socket.receiveText("one");
    socket.receiveText("two");
    socket.send("three");
    socket.push("four");
    assert.deepEqual([seen, plain.closeCode, ends, socket.isOpen], [["one"], undefined, [], false]);
    await turn();
    assert.deepEqual([seen, plain.closeCode, plain.taken()], [["one"], 4000, []]);
    assert.deepEqual([ends, connection.isOpen], [["normal"], true]);
  });

  it("ends once, whatever ends it during a callback", () => {
    const { socket, connection, ends, member } = makeWorld(
      {
        handleIn() {
          member.broadcast("users:1", "disconnect");
          throw new Error("boom");
        },
      },
      "users:1",
    );
    socket.receiveText("go");
    assert.equal(connection.closeCode, 1001);
    assert.equal((ends[0] as Error).message, "boom");
    assert.equal(ends.length, 1);
    socket.end(1012, { shutdown: "draining" });
    socket.closed(1006);
    assert.equal(ends.length, 1);
    assert.equal(member.pubsub.registry.size, 0);
  });

  it("may subscribe to the topic of its own id, and is disconnected through it as well", () => {
    const seen: unknown[] = [];
    const { socket, connection, member } = makeWorld(
      { handleInfo: (_, message) => void seen.push(message) },
      "users:1",
    );
    socket.subscribe("users:1");
    member.broadcast("users:1", "said", { n: 1 });
    assert.deepEqual(seen, [{ topic: "users:1", event: "said", payload: { n: 1 } }]);
    socket.unsubscribe("users:1");
    member.broadcast("users:1", "said", { n: 2 });
    assert.equal(seen.length, 1);
    member.broadcast("users:1", "disconnect");
    assert.equal(connection.closeCode, 1001);
  });

  it("gets a broadcast once for each subscription", () => {
    const seen: unknown[] = [];
    const { socket, member } = makeWorld({ handleInfo: (_, message) => void seen.push(message) });
    socket.subscribe("room:1");
    socket.subscribe("room:1");
    member.broadcast("room:1", "said");
    assert.equal(seen.length, 2);
    socket.unsubscribe("room:1");
    member.broadcast("room:1", "said");
    assert.equal(seen.length, 2);
    assert.equal(member.pubsub.registry.size, 0);
  });

  it("is told of lost broadcasts; without a handler, its client connects again", () => {
    const missed: string[] = [];
    const told = makeWorld({ missed: (_, topic) => void missed.push(topic) });
    told.socket.subscribe("room:1");
    told.member.pubsub.onLapped(1, "all");
    assert.deepEqual([missed, told.connection.isOpen], [["room:1"], true]);
    const untold = makeWorld();
    untold.socket.subscribe("room:1");
    untold.member.pubsub.onLapped(1, "all");
    assert.equal(untold.connection.closeCode, 1011);
    assert.equal((untold.ends[0] as { code?: string }).code, "SIM_ERR_LAPPED");
    // The lost message may have been a disconnect.
    const banned = makeWorld({ missed: () => {} }, "users:1");
    banned.member.pubsub.onLapped(1, "all");
    assert.equal(banned.connection.closeCode, 1001);
  });

  it("runs terminate for every connection that was opened, and for no other", () => {
    const { world, connection } = makeWorld();
    const ends: ExitReason[] = [];
    const definition = defineRawSocket({
      connect: () => ok({}),
      handleIn: () => {},
      terminate: (_, reason) => void ends.push(reason),
    });
    const mount = { path: "/raw", definition, handlerTimeoutMs: 1_000 };
    const socket = new RawSocket(world.sockets, connection, { mount, state: {}, id: null });
    socket.end(1012, { shutdown: "draining" });
    assert.deepEqual(ends, []);
  });

  it("logs errors of terminate, and waits for its promise", async () => {
    const gate = new Deferred<void>();
    const { socket, world, log } = makeWorld({
      async terminate() {
        await gate.promise;
        throw new Error("late");
      },
    });
    socket.end(1012, { shutdown: "draining" });
    const ended = world.callbacks.live.allGone();
    await turn();
    assert.equal(log.length, 0);
    gate.resolve();
    await ended;
    const line = log.find(({ text }) => text === "terminate threw");
    assert.deepEqual(line?.fields, { connection: 7, err: new Error("late") });
    const broken = makeWorld({
      terminate() {
        throw new Error("at once");
      },
    });
    broken.connection.lose();
    await broken.world.callbacks.live.allGone();
    assert.equal(broken.log.at(-1)?.text, "terminate threw");
  });

  it("stops waiting for a terminate that does not settle in time", async () => {
    const { socket, world } = makeWorld({ terminate: () => new Promise(() => {}) });
    socket.end(1012, { shutdown: "draining" });
    world.callbacks.checkTimeouts(performance.now() + 2_000);
    await world.callbacks.live.allGone();
  });

  it("has no timers once it has ended, or once they are cancelled", async () => {
    const seen: unknown[] = [];
    const { socket, connection } = makeWorld({
      handleInfo: (_, message) => void seen.push(message),
    });
    const cancel = socket.sendAfter(0, "cancelled");
    socket.sendAfter(2_000_000, "too late");
    cancel();
    assert.throws(() => socket.sendAfter(-1, "x"), { code: "SIM_ERR_OPTION_INVALID" });
    assert.equal(socket.timers?.size, 1);
    connection.lose();
    assert.equal(socket.timers, undefined);
    await turn();
    assert.deepEqual(seen, []);
  });

  it("sends all forms of frames, and refuses anything else", () => {
    const { socket, connection } = makeWorld();
    socket.push("a");
    socket.push(Buffer.from("b"));
    socket.push({ opcode: "text", data: Buffer.from("c") });
    socket.push({ opcode: "binary", data: "d" });
    socket.push({ opcode: "ping" });
    socket.push({ opcode: "ping", data: "e" });
    assert.deepEqual(connection.taken(), ["a", "hex 62", "c", "hex 64", "ping ", "ping e"]);
    const none = [undefined, null, 7, {}, { opcode: "text" }, { opcode: "pong", data: "" }, []];
    for (const frame of none) {
      assert.throws(() => socket.push(frame as never), { code: "SIM_ERR_PAYLOAD" });
    }
    assert.throws(() => socket.push({ opcode: "ping", data: "x".repeat(126) }), {
      message:
        'a frame must be a string, a Uint8Array or { opcode: "text", "binary" or "ping", data }, ' +
        "a ping of at most 125 bytes, got object",
    });
  });

  it("lists the valid results if a callback returns anything else", () => {
    const forms = {
      handleIn: "nothing, reply(status, frame), stop(reason) or closeWith(code, text?)",
      handleInfo: "nothing, stop(reason) or closeWith(code, text?)",
    };
    for (const [name, allowed] of Object.entries(forms)) {
      const { socket, log } = makeWorld({ [name]: () => reply("ok", 7) });
      if (name === "handleIn") socket.receiveText("x");
      else socket.send("x");
      const { fields } = log.at(-1) ?? assert.fail("nothing was logged");
      const message = `${name} must return ${allowed}, got object`;
      assert.equal(fields["callback"], name);
      assert.equal((fields["err"] as Error).message, message);
    }
  });

  it("is closed with 1011 if the result of a callback cannot be read", async () => {
    const unreadable = [reply("ok", "x"), stop("normal"), closeWith(4_000)].map(unreadableOf);
    for (const result of [...unreadable, reply("ok", unreadableOf({}) as never)]) {
      for (const handleIn of [() => result, () => Promise.resolve(result)]) {
        const { socket, connection, ends, log, world } = makeWorld({ handleIn });
        socket.receiveText("x");
        await turn();
        assert.deepEqual([connection.closeCode, ends.length], [1011, 1]);
        assert.deepEqual(
          log.map(({ text }) => text),
          ["a raw socket failed: its connection was closed"],
        );
        await world.callbacks.live.allGone();
      }
    }
  });

  it("is published to telemetry when it has ended", () => {
    const events: unknown[] = [];
    const take = (event: unknown): void => void events.push(event);
    subscribe("simurgh:socket_disconnected", take);
    const { socket } = makeWorld({ handleIn: () => closeWith(4001) }, "users:1");
    socket.receiveText("go");
    unsubscribe("simurgh:socket_disconnected", take);
    assert.deepEqual(events, [{ connection: 7, id: "users:1", code: 4001, channels: 0 }]);
  });
});

describe("the definition of a raw socket", () => {
  it("requires functions, and a valid log level", () => {
    const right = { connect: () => ok({}), handleIn: () => {} };
    const refused = (callbacks: object, message: string): void => {
      assert.throws(() => defineRawSocket({ ...right, ...callbacks }), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message,
      });
    };
    refused({ connect: undefined }, "connect must be a function, got undefined");
    refused({ handleIn: null }, "handleIn must be a function, got null");
    for (const name of ["id", "init", "handleControl", "handleInfo", "missed", "terminate"]) {
      refused({ [name]: 7 }, `${name} must be a function, got number`);
    }
    refused({ log: "loud" }, 'log must be "debug", "info", "warn", "error" or false, got "loud"');
    refused({ log: true }, 'log must be "debug", "info", "warn", "error" or false, got true');
    assert.equal(defineRawSocket(right).log, "info");
    assert.equal(defineRawSocket({ ...right, log: false }).log, false);
  });
});
