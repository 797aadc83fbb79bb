/**
 * The contract of raw sockets over any transport. See `src/socket/raw-definition.ts`.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";

import { error, ok, reply, stop } from "../../src/callbacks/results.ts";
import type { ExitReason } from "../../src/callbacks/results.ts";
import type { Options } from "../../src/options/options.ts";
import type { EndpointCallbacks } from "../../src/endpoint/endpoint.ts";
import { closeWith } from "../../src/socket/close-with.ts";
import { defineRawSocket } from "../../src/socket/raw-definition.ts";
import type { RawSocketCallbacks, RawSocketHandle } from "../../src/socket/raw-definition.ts";
import { within } from "../support/deadline.ts";
import type { RawClient } from "../support/raw-client.ts";
import { freePort } from "../support/server.ts";
import { atOnce, startShard } from "../support/shard.ts";
import type { TestShard } from "../support/shard.ts";
import { Deferred, turn } from "../support/world.ts";

/** A transport under test. */
export interface RawTransport {
  /** Its name in `socket.transport`. */
  readonly name: string;
  /** Returns what the transport needs in an endpoint with a raw socket at /raw, given its own port. */
  endpoint?(ownPort: number): Partial<EndpointCallbacks>;
  /** Connects to /raw. */
  connect(at: Ports, query?: string): Promise<RawClient>;
  /** Tries to connect, and returns how the client was refused. */
  refused(at: Ports, query?: string): Promise<string>;
  /** Returns a binary frame with these bytes, as seen by clients of the transport. */
  binary(bytes: string): string;
  /** Returns the end of a connection by a code and a text, as seen by clients of the transport. */
  close(code: number, text?: string): string;
}

/** Where a shard listens. */
export interface Ports {
  readonly port: number;
  /** Port of the transport itself, if it does not use HTTP. */
  readonly ownPort: number;
}

type Socket = RawSocketHandle<{ user: string }>;
type Callbacks = RawSocketCallbacks<{ user: string }>;

/** A shard with a raw socket, and the calls of its callbacks. */
interface World {
  readonly shard: TestShard;
  readonly at: Ports;
  readonly sockets: Socket[];
  /** Reasons passed to `terminate`. */
  readonly ends: ExitReason[];
  /** Waits until `count` sockets have ended. */
  readonly ended: (count: number) => Promise<void>;
}

/** Tests a transport against the contract. */
export function describeRawSocket(transport: RawTransport): void {
  const shards: TestShard[] = [];
  after(() => {
    for (const shard of shards) shard.close();
  });

  async function serving(
    callbacks: Partial<Callbacks> = {},
    options: Options = {},
  ): Promise<World> {
    const sockets: Socket[] = [];
    const ends: ExitReason[] = [];
    let woken = new Deferred<void>();
    const socket = defineRawSocket<{ user: string }>({
      connect: ({ params }) => ok({ user: params["user"] ?? "nobody" }),
      handleIn: (_, frame) => reply("ok", frame),
      ...callbacks,
      init: (made) => {
        sockets.push(made);
        return callbacks.init?.(made);
      },
      terminate: (made, reason) => {
        ends.push(reason);
        woken.resolve();
        return callbacks.terminate?.(made, reason);
      },
    });
    const ownPort = transport.endpoint ? await freePort() : 0;
    const shard = await startShard(
      {
        ...transport.endpoint?.(ownPort),
        sockets: { "/raw": { socket, longpoll: true } },
      },
      options,
    );
    shards.push(shard);
    const ended = async (count: number): Promise<void> => {
      while (ends.length < count) {
        woken = new Deferred();
        await within(woken.promise, `end ${ends.length + 1} of ${count}`);
      }
    };
    return { shard, at: { port: shard.port, ownPort }, sockets, ends, ended };
  }

  describe(`a raw socket over ${transport.name}`, () => {
    it("gets the state from connect, which sees the transport's name and the parameters", async () => {
      const { at, sockets } = await serving({
        connect: ({ params, transport: name }) => ok({ user: `${params["user"]} by ${name}` }),
      });
      const client = await transport.connect(at, "user=ann");
      await client.send("hi");
      assert.equal(await client.next(), "hi");
      const [socket] = sockets;
      assert.equal(socket?.state.user, `ann by ${transport.name}`);
      assert.equal(socket?.transport, transport.name);
      assert.equal(socket?.isOpen, true);
    });

    it("is refused by connect, and not opened", async () => {
      const { at, sockets, ends } = await serving({ connect: () => error({ reason: "no" }) });
      assert.match(await transport.refused(at), /403/);
      assert.deepEqual([sockets, ends], [[], []]);
    });

    it("needs no protocol version", async () => {
      const { at } = await serving();
      const client = await transport.connect(at, "vsn=9.9.9");
      await client.send("hi");
      assert.equal(await client.next(), "hi");
    });

    it("pushes from init, before anything was sent, and handles frames after it", async () => {
      const begun = new Deferred<void>();
      const { at } = await serving({
        async init(socket) {
          socket.push("welcome");
          await begun.promise;
          socket.push("ready");
        },
      });
      const client = await transport.connect(at);
      assert.equal(await client.next(), "welcome");
      const sent = client.send("first");
      begun.resolve();
      assert.equal(await client.next(), "ready");
      assert.equal(await client.next(), "first");
      await sent;
    });

    it("answers with text and with bytes, whatever the status", async () => {
      const { at } = await serving({
        handleIn(_, frame) {
          if (frame.opcode === "binary") return reply("error", frame.data.toReversed());
          return frame.data === "short"
            ? ok("text")
            : reply("ok", { opcode: "text", data: frame.data });
        },
      });
      const client = await transport.connect(at);
      await client.send("hällo");
      assert.equal(await client.next(), "hällo");
      await client.send("short");
      assert.equal(await client.next(), "text");
      await client.send(Buffer.from("abc"));
      assert.equal(await client.next(), transport.binary("cba"));
    });

    it("keeps the bytes that it received, even if the transport reuses its buffer", async () => {
      const kept: Uint8Array[] = [];
      const { at } = await serving({
        handleIn(_, { data }) {
          if (typeof data !== "string") kept.push(data);
          return ok(String(kept.length));
        },
      });
      const client = await transport.connect(at);
      for (const text of ["one", "two"]) await client.send(Buffer.from(text));
      assert.deepEqual([await client.next(), await client.next()], ["1", "2"]);
      assert.deepEqual(
        kept.map((bytes) => Buffer.from(bytes).toString()),
        ["one", "two"],
      );
    });

    it("does not reply if it returns nothing, and may push any number of times", async () => {
      const { at } = await serving({
        handleIn(socket, { data }) {
          if (data === "push") for (const n of [1, 2, 3]) socket.push(`push ${n}`);
        },
      });
      const client = await transport.connect(at);
      await client.send("quiet");
      await client.send("push");
      assert.equal(await client.next(), "push 1");
      assert.equal(await client.next(), "push 2");
      assert.equal(await client.next(), "push 3");
    });

    it("handles one frame at a time, in order, even if that takes a while", async () => {
      const gates = [new Deferred<void>(), new Deferred<void>()];
      const order: string[] = [];
      const { at } = await serving({
        async handleIn(_, { data }) {
          order.push(`begin ${String(data)}`);
          await gates[Number(data)]?.promise;
          order.push(`end ${String(data)}`);
          return ok(data);
        },
      });
      const client = await transport.connect(at);
      const sent = [client.send("0"), client.send("1")];
      // The second one is released first, but is still handled second.
      gates[1]?.resolve();
      gates[0]?.resolve();
      const frames = [await client.next(), await client.next()];
      await Promise.all(sent);
      const [first, second] = frames;
      assert.deepEqual(order, [
        `begin ${first}`,
        `end ${first}`,
        `begin ${second}`,
        `end ${second}`,
      ]);
    });

    it("gets its own messages, those of timers, and those of code that holds it", async () => {
      const { at, sockets } = await serving({
        handleIn(socket, { data }) {
          if (data === "self") socket.send({ from: "itself" });
          else if (data === "later") socket.sendAfter(1, { from: "a timer" });
          else for (const other of sockets) other.send({ from: socket.state.user });
        },
        handleInfo(socket, message) {
          socket.push(JSON.stringify(message));
        },
      });
      const ann = await transport.connect(at, "user=ann");
      const bob = await transport.connect(at, "user=bob");
      await ann.send("self");
      assert.equal(await ann.next(), '{"from":"itself"}');
      await ann.send("later");
      assert.equal(await ann.next(), '{"from":"a timer"}');
      await bob.send("all");
      assert.equal(await ann.next(), '{"from":"bob"}');
      assert.equal(await bob.next(), '{"from":"bob"}');
      sockets[0]?.push("from outside");
      assert.equal(await ann.next(), "from outside");
    });

    it("gets the broadcasts of topics it listens to, and no others", async () => {
      const { at } = await serving({
        handleIn(socket, { data }) {
          const [what, topic = ""] = String(data).split(" ");
          if (what === "listen") socket.subscribe(topic);
          else if (what === "ignore") socket.unsubscribe(topic);
          else socket.context.broadcast(topic, "said", { by: socket.state.user });
          return ok("done");
        },
        handleInfo(socket, message) {
          socket.push(JSON.stringify(message));
        },
      });
      const ann = await transport.connect(at, "user=ann");
      const bob = await transport.connect(at, "user=bob");
      await ann.send("listen room:1");
      assert.equal(await ann.next(), "done");
      await bob.send("say room:2");
      await bob.send("say room:1");
      const said = '{"topic":"room:1","event":"said","payload":{"by":"bob"}}';
      assert.equal(await ann.next(), said);
      await ann.send("ignore room:1");
      assert.equal(await ann.next(), "done");
      await bob.send("say room:1");
      await ann.send("listen room:3");
      assert.equal(await ann.next(), "done");
    });

    it("warns of a message without a handler, and continues", async () => {
      const { at, shard, sockets } = await serving();
      const client = await transport.connect(at);
      await client.send("hi");
      assert.equal(await client.next(), "hi");
      sockets[0]?.send("nobody takes it");
      await client.send("still here");
      assert.equal(await client.next(), "still here");
      assert.ok(
        shard.log.some(({ text }) => text === "a message was received, but there is no handleInfo"),
      );
    });

    for (const [what, callbacks] of Object.entries(FAILING)) {
      it(`closes with 1011 if ${what}, without harm to others`, async () => {
        const { at, shard, ends, ended } = await serving(callbacks, { handlerTimeoutMs: 50 });
        const other = await transport.connect(at);
        const client = await transport.connect(at);
        await other.send("listen");
        assert.equal(await other.next(), "listen");
        await client.send("fail");
        assert.equal(await client.closed(), transport.close(1011));
        await ended(1);
        assert.ok(ends[0] instanceof Error);
        await other.send("hi");
        assert.equal(await other.next(), "hi");
        const line = shard.log.find(
          ({ text }) => text === "a raw socket failed: its connection was closed",
        );
        assert.ok(line?.fields["err"] instanceof Error);
        assert.equal(line.fields["path"], "/raw");
      });
    }

    it("closes with 1011 if its mailbox overflows", async () => {
      const { at, sockets, ends, ended } = await serving(
        { handleInfo: async () => new Promise<void>(() => {}) },
        { maxMailbox: 2 },
      );
      const client = await transport.connect(at);
      await client.send("hi");
      assert.equal(await client.next(), "hi");
      for (let count = 0; count < 4; count += 1) sockets[0]?.send(count);
      assert.equal(await client.closed(), transport.close(1011));
      await ended(1);
      assert.equal((ends[0] as { code?: unknown }).code, "SIM_ERR_MAILBOX_FULL");
    });

    it("closes by stop with the code of its reason, and by closeWith with its own", async () => {
      const results = {
        normal: stop("normal"),
        restart: stop({ shutdown: "restart" }),
        other: stop("other"),
        code: closeWith(4001, "bye", "kicked"),
        bare: closeWith(1000),
      };
      const { at, ends, ended } = await serving({
        handleIn: (_, { data }) => results[data as keyof typeof results],
      });
      const closes: Record<keyof typeof results, string> = {
        normal: transport.close(1000),
        restart: transport.close(1012),
        other: transport.close(1011),
        code: transport.close(4001, "bye"),
        bare: transport.close(1000),
      };
      for (const [name, expected] of Object.entries(closes)) {
        const client = await transport.connect(at);
        await client.send(name);
        assert.equal(await client.closed(), expected, name);
      }
      await ended(5);
      assert.deepEqual(ends, ["normal", { shutdown: "restart" }, "other", "kicked", "normal"]);
    });

    it("is warned before it expires, may be renewed, and otherwise ends with 3000", async () => {
      const { at, sockets, ends, ended } = await serving({
        connect: () => ok({ user: "ann" }, { expiresAtMs: Date.now() + 600 }),
        id: ({ state }) => state.user,
        expiring(socket, leftMs) {
          socket.push(`expiring ${leftMs <= 300 && leftMs > 0}`);
          if (ends.length > 0 || socket.state.user !== "ann") return;
          const expiresAtMs = Date.now() + 400;
          socket.push(`bob's ${socket.renew({ user: "bob" }, { expiresAtMs })}`);
          if (sockets.length === 1) {
            socket.push(`ann's ${socket.renew({ user: "ann" }, { expiresAtMs })}`);
            sockets.length = 0;
          }
        },
      });
      const client = await transport.connect(at);
      const told = ["expiring true", "bob's false", "ann's true", "expiring true", "bob's false"];
      for (const each of told) assert.equal(await client.next(), each);
      assert.equal(await client.closed(), transport.close(3000));
      await ended(1);
      assert.deepEqual(ends, [{ shutdown: "expired" }]);
    });

    it("ends by its id, with 1001", async () => {
      const { at, sockets, ends, ended } = await serving({
        id: ({ state }) => `users:${state.user}`,
      });
      const ann = await transport.connect(at, "user=ann");
      const bob = await transport.connect(at, "user=bob");
      await bob.send("hi");
      assert.equal(await bob.next(), "hi");
      sockets[0]?.context.disconnect("users:ann");
      assert.equal(await ann.closed(), transport.close(1001));
      await ended(1);
      assert.deepEqual(ends, [{ shutdown: "disconnected" }]);
      await bob.send("still here");
      assert.equal(await bob.next(), "still here");
    });

    it("ends with 1012 as the shard drains, which waits for terminate", async () => {
      const gate = new Deferred<void>();
      const { at, shard, ends } = await serving({ terminate: () => gate.promise });
      const client = await transport.connect(at);
      await client.send("hi");
      assert.equal(await client.next(), "hi");
      const closed = client.closed();
      const drained = shard.shard.drain(atOnce(1_000));
      assert.equal(await closed, transport.close(1012));
      assert.deepEqual(ends, ["shutdown"]);
      const first = Promise.race([drained, turn()]);
      assert.equal(await first, undefined, "the drain did not wait");
      gate.resolve();
      await within(drained, "the drain");
    });

    it("neither receives nor sends anything once it has ended", async () => {
      const seen: unknown[] = [];
      const { at, sockets, ended } = await serving({
        handleIn: () => stop("normal"),
        handleInfo: (_, message) => void seen.push(message),
        terminate(socket) {
          socket.push("too late");
          socket.send("too late");
          socket.sendAfter(0, "too late");
          socket.subscribe("room:1");
        },
      });
      const client = await transport.connect(at);
      await client.send("stop");
      assert.equal(await client.closed(), transport.close(1000));
      await ended(1);
      const [socket] = sockets;
      socket?.send("too late");
      socket?.push("too late");
      assert.deepEqual([seen, socket?.isOpen, socket?.hasRoom], [[], false, false]);
      assert.equal(socket?.context.subscribers("room:1"), 0);
    });

    it("is counted, and listed with no channels", async () => {
      const { at, shard, sockets } = await serving({ id: () => "users:1" });
      const client = await transport.connect(at);
      await client.send("hi");
      assert.equal(await client.next(), "hi");
      const [socket] = sockets;
      assert.deepEqual(await shard.shard.answer({ about: "sockets", limit: 10 }), [
        {
          connection: socket?.number,
          id: "users:1",
          shard: 0,
          transport: transport.name,
          path: "/raw",
        },
      ]);
      const connection = socket?.number ?? -1;
      assert.deepEqual(await shard.shard.answer({ about: "channels", connection }), []);
      assert.equal(shard.counter("connections"), 1);
    });
  });
}

/** Failures in callbacks, each caused by the frame `fail`. Other frames are echoed. */
const FAILING: Readonly<Record<string, Partial<Callbacks>>> = {
  "a callback throws": onFail(() => {
    throw new Error("boom");
  }),
  "a callback throws something other than an error": onFail(() => {
    throw "boom" as unknown as Error;
  }),
  "a callback rejects": onFail(async () => {
    await Promise.resolve();
    throw new Error("boom");
  }),
  "a callback does not settle in time": onFail(() => new Promise(() => {})),
  "a callback returns an invalid result": onFail(() => 42),
  "a callback returns a reply that is not a frame": onFail(() => ok({ not: "a frame" })),
  "a callback pushes something other than a frame": onFail((socket) =>
    socket.push({ opcode: "text" } as never),
  ),
  "handleInfo throws": {
    handleIn(socket, frame) {
      if (frame.data !== "fail") return ok(frame);
      socket.send("boom");
      return undefined;
    },
    handleInfo() {
      throw new Error("boom");
    },
  },
};

function onFail(result: (socket: Socket) => unknown): Partial<Callbacks> {
  return {
    handleIn: (socket, frame) => (frame.data === "fail" ? (result(socket) as never) : ok(frame)),
  };
}
