/**
 * The test helpers: what they do with an app, and the messages of failed assertions.
 *
 * Runs on: the test's thread.
 */

import assert, { AssertionError } from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

import {
  defineChannel,
  defineEndpoint,
  defineSocket,
  error,
  ok,
  reply,
  stop,
} from "../../src/index.ts";
import * as testing from "../../src/testing/index.ts";
import {
  assertBroadcast,
  assertClosed,
  assertCrashed,
  assertDisconnected,
  assertPush,
  assertReply,
  broadcastFrom,
  close,
  closeApp,
  connect,
  join,
  leave,
  refuteBroadcast,
  refutePush,
  refuteReply,
  socketWith,
  subscribe,
  subscribeAndJoin,
} from "../../src/testing/index.ts";
import { Deferred, turn } from "../support/world.ts";

/** Time limit of assertions that refute. They always wait for all of it. */
const SHORT = { timeoutMs: 20 };
const FOREVER = new Promise<never>(() => {});

let ends: string[] = [];
let gate = new Deferred();

const userSocket = defineSocket({
  async connect({ params, connectInfo, context }) {
    if (params["name"] === "throws") throw new Error("no database");
    if (params["name"] === "odd") return 7 as never;
    if (params["name"] === undefined) return error({ reason: "who?" });
    const { org } = params;
    const { data } = context;
    return ok({
      name: params["name"],
      org,
      data,
      host: connectInfo.uri?.host,
      agent: connectInfo.userAgent,
    });
  },
  id: ({ assigns }) => (assigns.name === "nobody" ? null : `users:${assigns.name}`),
});

const room = defineChannel(userSocket, {
  async join(socket, payload: { refuse?: boolean; late?: boolean }) {
    if (payload.late) await gate.promise;
    if (payload.refuse) return error({ reason: "not you" });
    return ok({ topic: socket.topic });
  },
  handleIn: {
    echo: (_socket, payload) => reply("ok", payload),
    async late(_socket, payload) {
      await gate.promise;
      return reply("ok", payload);
    },
    quiet() {},
    say: (socket, payload) => socket.broadcast("said", payload),
    say_others: (socket, payload) => socket.broadcastFrom("said", payload),
    push: (socket, payload) => socket.push("pushed", payload),
    paint: (socket) => socket.assign({ name: "painted" }),
    stop: () => stop("normal"),
    crash() {
      throw new Error("boom");
    },
    task: async (socket, { name, input }: { name: string; input?: unknown }) =>
      reply("ok", { result: await socket.task(name, input) }),
  },
  handleInfo: (socket, message) => socket.push("info", { message }),
  async terminate(socket, reason) {
    if (socket.topic === "room:endless") await FOREVER;
    await turn();
    ends.push(`${socket.topic} ${JSON.stringify(reason)}`);
  },
});

const app = defineEndpoint({
  sockets: {
    "/socket": {
      socket: userSocket,
      channels: { "room:*": room },
      connectInfo: ["uri", "userAgent"],
    },
  },
  start: () => void ends.push("start"),
  async stop() {
    await turn();
    ends.push("stop");
  },
  tasks: new URL("../tasks/task-pool.functions.js", import.meta.url),
});

/** Long enough for messages to arrive, even on a busy machine. */
const timeoutMs = 5_000;
const ann = { params: { name: "ann" }, timeoutMs };
const bob = { params: { name: "bob" }, timeoutMs };

afterEach(async () => {
  gate.resolve(undefined);
  await closeApp(app);
  ends = [];
  gate = new Deferred();
});

/** Returns the message with which an assertion fails. */
async function messageOf(assertion: Promise<unknown>): Promise<string> {
  try {
    await assertion;
  } catch (failure) {
    assert.ok(failure instanceof AssertionError, String(failure));
    return failure.message;
  }
  return assert.fail("the assertion held");
}

describe("connect", () => {
  it("runs connect and id", async () => {
    const socket = await connect(app, ann);
    assert.deepEqual(
      [socket.id, socket.assigns["name"], socket.isOpen],
      ["users:ann", "ann", true],
    );
    assert.equal((await connect(app, { params: { name: "nobody" } })).id, null);
  });

  it("throws the reason of a refusal", async () => {
    await assert.rejects(connect(app), {
      code: "SIM_ERR_CONNECT_REFUSED",
      message: "connect must accept, got error({ reason: 'who?' })",
      reason: { reason: "who?" },
    });
  });

  it("throws if connect throws, or returns an invalid result", async () => {
    await assert.rejects(connect(app, { params: { name: "throws" } }), (failure: Error) => {
      assert.match(
        failure.message,
        /^connect must accept, got connect threw or did not settle in time Error: no database/,
      );
      assert.equal((failure.cause as Error).message, "no database");
      return true;
    });
    await assert.rejects(connect(app, { params: { name: "odd" } }), {
      code: "SIM_ERR_CONNECT_REFUSED",
      message: /connect or id returned an invalid result/,
    });
  });

  it("passes connect info to connect, with defaults", async () => {
    const connectInfo = { userAgent: "test/1" };
    const { assigns } = await connect(app, { ...ann, connectInfo });
    assert.deepEqual([assigns["host"], assigns["agent"]], ["localhost", "test/1"]);
  });

  it("starts the app with its data, once", async () => {
    const socket = await connect(app, { ...ann, data: { db: "memory" } });
    const other = await connect(app, bob);
    assert.deepEqual(socket.assigns["data"], { db: "memory" });
    assert.deepEqual(other.assigns["data"], { db: "memory" });
    assert.equal(socket.context.shard, 0);
    assert.deepEqual(ends, ["start"]);
  });

  it("accepts a socket with its channels, and a socket alone", async () => {
    const target = { socket: userSocket, channels: { "room:*": room } };
    const { reply: answer } = await join(await connect(target, ann), "room:1");
    assert.equal(answer.status, "ok");

    const alone = await join(await connect(userSocket, ann), "room:1");
    assert.deepEqual(alone.reply.response, { reason: "unmatched topic" });
  });

  it("finds a socket by its path, with values or names for variables", async () => {
    const mount = { socket: userSocket, channels: {} };
    const several = defineEndpoint({ sockets: { "/org/:org/socket": mount, "/socket": mount } });
    const orgs = ["/org/a%2Fb/socket", "/socket", "/org/:org/socket"].map(async (path) => {
      const socket = await connect(several, { ...ann, path });
      return socket.assigns["org"];
    });
    assert.deepEqual(await Promise.all(orgs), ["a/b", undefined, undefined]);
    for (const path of [undefined, "/org/socket", "/org/x/y/socket"]) {
      const options = path === undefined ? ann : { ...ann, path };
      await assert.rejects(connect(several, options), {
        code: "SIM_ERR_OPTION_INVALID",
        message: `path must be one of /org/:org/socket, /socket, got ${path ?? "none"}`,
      });
    }
  });

  it("starts an app again whose start has failed", async () => {
    let starts = 0;
    const failing = defineEndpoint({
      sockets: { "/socket": { socket: userSocket, channels: {} } },
      start() {
        starts += 1;
        if (starts === 1) throw new Error("not yet");
      },
    });
    await assert.rejects(connect(failing, ann), { message: "not yet" });
    assert.equal((await connect(failing, ann)).isOpen, true);
  });
});

describe("socketWith", () => {
  it("connects with an identity, without calling connect", async () => {
    const socket = await socketWith(app, { id: "users:eve", assigns: { name: "eve" }, timeoutMs });
    assert.deepEqual([socket.id, socket.assigns], ["users:eve", { name: "eve" }]);
    const { channel } = await join(socket, "room:1");
    assert.equal(channel.assigns["name"], "eve");
    const nobody = await socketWith(app, { timeoutMs });
    assert.deepEqual([nobody.id, nobody.assigns], [null, {}]);
    socket.context.disconnect("users:eve");
    await assertDisconnected(socket, 1001);
  });

  it("does not affect other connections", async () => {
    await socketWith(app, { id: "users:eve" });
    await assert.rejects(connect(app), { code: "SIM_ERR_CONNECT_REFUSED" });
    assert.equal((await connect(app, ann)).id, "users:ann");
  });
});

describe("join", () => {
  it("returns the answer, whatever its status", async () => {
    const socket = await connect(app, ann);
    const accepted = await join(socket, "room:1");
    assert.deepEqual(accepted.reply, { status: "ok", response: { topic: "room:1" } });
    const refused = await join(socket, "room:2", { refuse: true });
    assert.deepEqual(refused.reply, { status: "error", response: { reason: "not you" } });
    assert.throws(() => refused.channel.assigns, { code: "SIM_ERR_NOT_JOINED" });
  });

  it("waits for an asynchronous join, and fails if there is no answer", async () => {
    const socket = await connect(app, { ...ann, timeoutMs: 20 });
    const message = await messageOf(join(socket, "room:1", { late: true }));
    assert.match(message, /^"phx_join" to room:1 must be replied to within 20 \(ms\)\n/);
    gate.resolve(undefined);
    // It waits behind the first, which is not answered yet.
    const { reply: answer, channel } = await join(socket, "room:1", { late: true });
    assert.equal(answer.status, "ok");
    assert.equal(channel.assigns["name"], "ann");
  });

  it("replaces a channel of the topic, like a client's rejoin", async () => {
    const socket = await connect(app, ann);
    const first = await join(socket, "room:1");
    const second = await join(socket, "room:1");
    await assertClosed(first.channel);
    assert.deepEqual([first.channel.hasEnded, second.channel.hasEnded], [true, false]);
    second.channel.push("push", { n: 2 });
    const waits = refutePush(first.channel, "pushed", undefined, SHORT);
    await waits;
    await assertPush(second.channel, "pushed", { n: 2 });
  });
});

describe("subscribeAndJoin", () => {
  it("subscribes the test, not the client", async () => {
    const { channel } = await subscribeAndJoin(await connect(app, ann), "room:1");
    channel.push("say_others", { n: 1 });
    assert.deepEqual(await assertBroadcast(channel, "said"), { n: 1 });
    await refutePush(channel, "said", undefined, SHORT);
  });

  it("fails if the join is refused", async () => {
    const socket = await connect(app, ann);
    const message = await messageOf(subscribeAndJoin(socket, "room:1", { refuse: true }));
    const [first, ...others] = message.split("\n");
    assert.equal(first, "the join of room:1 must be accepted, got error { reason: 'not you' }");
    assert.deepEqual(others, [
      "this client received:",
      '  ["1","1","room:1","phx_reply",{"status":"error","response":{"reason":"not you"}}]',
    ]);
  });
});

describe("a push", () => {
  it("has a reply that can be awaited any number of times", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    const push = channel.push("echo", { n: 1 });
    assert.deepEqual([channel.joinRef, push.ref], ["1", "2"]);
    assert.deepEqual(await push.reply, { status: "ok", response: { n: 1 } });
    assert.deepEqual(await push.reply, { status: "ok", response: { n: 1 } });
    await assertReply(push, "ok", { n: 1 });
    await refuteReply(push, "ok", undefined, SHORT);
  });

  it("may be asked for its reply before that arrives", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    const push = channel.push("late", { n: 1 });
    const replies = Promise.all([push.reply, assertReply(push, "ok", { n: 1 })]);
    gate.resolve(undefined);
    assert.deepEqual(await replies, [{ status: "ok", response: { n: 1 } }, { n: 1 }]);
  });

  it("is sent as JSON, so the channel gets what a client can send", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    const payload = { gone: undefined, date: new Date(0) };
    const { response } = await channel.push("echo", payload).reply;
    assert.deepEqual(response, { date: "1970-01-01T00:00:00.000Z" });
  });

  it("without a reply fails an assertion that waits for one", async () => {
    const { channel } = await join(await connect(app, { ...ann, timeoutMs: 20 }), "room:1");
    assert.match(
      await messageOf(channel.push("quiet").reply),
      /^"quiet" to room:1 must be replied/,
    );
    const message = await messageOf(assertReply(channel.push("quiet"), "ok", { n: 1 }));
    assert.match(
      message,
      /^"quiet" to room:1 must be replied to with ok with \{ n: 1 \} within 20 \(ms\), got no reply\n/,
    );
  });

  it("with another reply fails an assertion for this one, which shows the other", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    const push = channel.push("echo", { n: 2 });
    const message = await messageOf(assertReply(push, "ok", { n: 1 }, SHORT));
    assert.match(message, /got \[ \{ status: 'ok', response: \{ n: 2 \} \} \]\n/);
    await assertReply(push, "ok", { n: 2 });
  });

  it("with a reply fails an assertion that refutes it", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    const push = channel.push("echo", { n: 2 });
    await refuteReply(push, "error", undefined, SHORT);
    await refuteReply(push, "ok", { n: 1 }, SHORT);
    assert.match(
      await messageOf(refuteReply(push, "ok")),
      /must not be replied to with ok, got \{ n: 2 \}/,
    );
  });
});

describe("assertPush", () => {
  it("takes pushes and broadcasts, each once and in order", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    channel.push("push", { n: 1 });
    channel.push("push", { n: 2 });
    channel.push("say", { n: 3 });
    assert.deepEqual(await assertPush(channel, "pushed"), { n: 1 });
    assert.deepEqual(await assertPush(channel, "pushed"), { n: 2 });
    assert.deepEqual(await assertPush(channel, "said"), { n: 3 });
    await refutePush(channel, "pushed", undefined, SHORT);
  });

  it("matches strings with a regular expression", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    channel.push("push", { text: "hello, ann", n: 7 });
    await refutePush(channel, "pushed", { text: /^ann/ }, SHORT);
    await refutePush(channel, "pushed", { n: /7/ }, SHORT);
    await assertPush(channel, "pushed", { text: /ann$/ });
  });

  it("skips messages that do not match", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    channel.push("push", { n: 1 });
    channel.push("push", { n: 2 });
    await assertPush(channel, "pushed", { n: (n: number) => n > 1 });
    await assertPush(channel, "pushed", { n: 1 });
  });

  it("waits for later messages", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    const pushed = assertPush(channel, "info", { message: "later" });
    channel.send("now");
    channel.send("later");
    await pushed;
    await assertPush(channel, "info", { message: "now" });
  });

  it("that has failed takes no more messages", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    await messageOf(assertPush(channel, "pushed", undefined, SHORT));
    channel.push("push", { n: 1 });
    await assertPush(channel, "pushed", { n: 1 });
  });

  it("takes messages of all topics for a socket, and of its own topic for a channel", async () => {
    const socket = await connect(app, ann);
    const one = await join(socket, "room:1");
    const two = await join(socket, "room:2");
    one.channel.push("push", { n: 1 });
    await refutePush(two.channel, "pushed", undefined, SHORT);
    await assertPush(socket, "pushed", { n: 1 });
  });

  it("shows what was received instead, and what was logged", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    channel.push("push", { n: 1 });
    channel.push("crash");
    await assertCrashed(channel);
    const lines = (await messageOf(assertPush(channel, "pushed", { n: 2 }, SHORT))).split("\n");
    assert.equal(lines[0], '"pushed" with { n: 2 } must arrive on room:1 within 20 (ms)');
    assert.deepEqual(lines.slice(1, 5), [
      "this client received:",
      '  ["1","1","room:1","phx_reply",{"status":"ok","response":{"topic":"room:1"}}]',
      '  ["1",null,"room:1","pushed",{"n":1}]',
      '  ["1","1","room:1","phx_error",{"reason":"channel_crash"}]',
    ]);
    assert.equal(lines[5], "the app logged:");
    assert.match(lines[6] ?? "", /^ {2}channel crashed: Error: boom$/);
    assert.match(lines[7] ?? "", /^ +at .*testing\.test/);
  });

  it("shows the difference to the last payload of the event", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    channel.push("push", { n: 1 });
    await assert.rejects(assertPush(channel, "pushed", { n: 2 }, SHORT), {
      name: "AssertionError",
      operator: "assertPush",
      actual: { n: 1 },
      expected: { n: 2 },
    });
  });

  it("is refuted as soon as the message arrives", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    const refuted = messageOf(refutePush(channel, "pushed", { n: 1 }, { timeoutMs: 60_000 }));
    channel.push("push", { n: 1 });
    assert.match(
      await refuted,
      /^"pushed" with \{ n: 1 \} must not arrive on room:1, got \{ n: 1 \}/,
    );
  });
});

describe("assertBroadcast", () => {
  it("takes broadcasts on a topic, regardless of who has joined", async () => {
    const socket = await connect(app, ann);
    const subscriber = subscribe(socket, "room:1");
    socket.context.broadcast("room:1", "news", { n: 1 });
    socket.context.broadcast("room:2", "news", { n: 2 });
    assert.deepEqual(await assertBroadcast(subscriber, "news"), { n: 1 });
    await refuteBroadcast(subscriber, "news", undefined, SHORT);
  });

  it("shows what was broadcast instead", async () => {
    const { channel } = await subscribeAndJoin(await connect(app, ann), "room:1");
    const nothing = await messageOf(assertBroadcast(channel, "said", undefined, SHORT));
    assert.match(nothing, /^"said" must be broadcast on room:1 within 20 \(ms\), got nothing\n/);
    channel.push("say", { n: 1 });
    const other = await messageOf(assertBroadcast(channel, "said", { n: 2 }, SHORT));
    assert.match(other, /, got said \{ n: 1 \}\n/);
    const refuted = await messageOf(refuteBroadcast(channel, "said", { n: 1 }));
    assert.match(refuted, /must not be broadcast on room:1, got \{ n: 1 \}/);
  });

  it("requires a subscription", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    assert.match(await messageOf(assertBroadcast(channel, "said")), /must be subscribed to room:1/);
  });
});

describe("broadcastFrom", () => {
  it("reaches every client, but not the test", async () => {
    const { channel } = await subscribeAndJoin(await connect(app, ann), "room:1");
    const other = await subscribeAndJoin(await connect(app, bob), "room:1");
    broadcastFrom(channel, "news", { n: 1 });
    await assertPush(channel, "news", { n: 1 });
    await assertPush(other.channel, "news", { n: 1 });
    await assertBroadcast(other.channel, "news", { n: 1 });
    await refuteBroadcast(channel, "news", undefined, SHORT);
  });
});

describe("a channel", () => {
  it("has its current assigns", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    assert.equal(channel.assigns["name"], "ann");
    channel.push("paint");
    assert.equal(channel.assigns["name"], "painted");
    assert.equal(channel.socket.assigns["name"], "ann");
  });

  it("runs its tasks on the test's thread, with copies", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    const { response } = await channel.push("task", { name: "double", input: 21 }).reply;
    assert.deepEqual(response, { result: 42 });
    channel.push("task", { name: "fail" });
    await assertCrashed(channel);
    assert.match(String(channel.socket.log.at(-1)?.error), /too far/);
  });
});

describe("an end", () => {
  it("of a channel that is left waits until its terminate has settled", async () => {
    const { channel } = await join(await connect(app, ann), "room:1");
    assert.deepEqual(await leave(channel), { status: "ok", response: {} });
    assert.deepEqual(ends.slice(1), ['room:1 {"shutdown":"left"}']);
    await assertClosed(channel);
  });

  it("of a socket that the client closes waits until terminate of all its channels has settled", async () => {
    const socket = await connect(app, ann);
    await join(socket, "room:1");
    await join(socket, "room:2");
    await close(socket);
    assert.equal(socket.isOpen, false);
    assert.deepEqual(ends.slice(1), [
      'room:1 {"shutdown":"closed"}',
      'room:2 {"shutdown":"closed"}',
    ]);
  });

  it("that does not come is a failure", async () => {
    const socket = await connect(app, { ...ann, timeoutMs: 20 });
    const { channel } = await join(socket, "room:endless");
    assert.match(
      await messageOf(leave(channel)),
      /^channel room:endless, after leave, must end within 20/,
    );
    assert.match(
      await messageOf(closeApp(app, SHORT)),
      /^all channels and transports of the app must end within 20/,
    );
  });

  it("of a channel may be a close by the server, or a crash", async () => {
    const socket = await connect(app, ann);
    const stopped = await join(socket, "room:1");
    stopped.channel.push("stop");
    await assertClosed(stopped.channel);
    const crashed = await join(socket, "room:2");
    crashed.channel.push("crash");
    await assertCrashed(crashed.channel, { reason: "channel_crash" });
    assert.match(
      await messageOf(assertClosed(crashed.channel, SHORT)),
      /^room:2 must end with phx_close/,
    );
    const other = await messageOf(assertCrashed(crashed.channel, undefined, SHORT));
    assert.match(other, /^room:2 must end with phx_error within 20/);
  });

  it("of a connection may be a close by the server", async () => {
    const socket = await connect(app, ann);
    const still = await messageOf(assertDisconnected(socket, 1001, SHORT));
    assert.match(
      still,
      /^the server must close the connection with 1001 within 20 \(ms\), got no close/,
    );
    socket.context.disconnect("users:ann");
    const other = await messageOf(assertDisconnected(socket, 1012, SHORT));
    assert.match(other, /with 1012 within 20 \(ms\), got 1001/);
    await assertDisconnected(socket);
    assert.equal(socket.isOpen, false);
  });

  it("of the app closes connections with 1012, ends channels, then runs stop; the app can start again", async () => {
    const socket = await connect(app, ann);
    await join(socket, "room:1");
    await closeApp(app);
    await assertDisconnected(socket, 1012);
    assert.deepEqual(ends, ["start", 'room:1 {"shutdown":"draining"}', "stop"]);
    await closeApp(app);
    assert.equal(ends.length, 3);
    await connect(app, ann);
    assert.equal(ends.at(-1), "start");
  });
});

describe("bytes", () => {
  it("are sent and received as over the wire", async () => {
    const bytes = Uint8Array.of(0, 255);
    const { channel } = await subscribeAndJoin(await connect(app, ann), "room:1");
    await assertReply(channel.push("echo", bytes), "ok", bytes);
    channel.push("push", bytes.buffer);
    await assertPush(channel, "pushed", bytes);
    channel.push("say", Buffer.from(bytes));
    await assertPush(channel, "said", bytes);
    await assertBroadcast(channel, "said", (payload: unknown) => payload instanceof Uint8Array);
    assert.ok(channel.socket.frames.includes("01010106023132726f6f6d3a316f6b00ff"));
  });
});

describe("two tests of one app", () => {
  it("are independent if the app was closed between them", async () => {
    const first = await subscribeAndJoin(await connect(app, ann), "room:1");
    await closeApp(app);
    const second = await subscribeAndJoin(await connect(app, ann), "room:1");
    second.channel.push("say", { n: 1 });
    await assertBroadcast(second.channel, "said");
    await refuteBroadcast(first.channel, "said", undefined, SHORT);
  });
});

describe("simurgh/testing", () => {
  it("exports these names", () => {
    assert.deepEqual(Object.keys(testing).toSorted(), [
      "assertBroadcast",
      "assertClosed",
      "assertCrashed",
      "assertDisconnected",
      "assertPush",
      "assertReply",
      "broadcastFrom",
      "close",
      "closeApp",
      "connect",
      "join",
      "leave",
      "refuteBroadcast",
      "refutePush",
      "refuteReply",
      "socketWith",
      "subscribe",
      "subscribeAndJoin",
      "testApp",
      "transportApp",
      "transportCases",
    ]);
  });
});
