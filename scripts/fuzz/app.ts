/**
 * The app that is fuzzed: the events and topics of the recorded Phoenix app, and every other kind of
 * mount, channel and route. Its handlers do little whatever they get, so that time and memory are
 * the library's.
 *
 * Runs on: shard.
 */

import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import {
  defineChannel,
  defineEndpoint,
  definePresence,
  defineSocket,
  error,
  ok,
  reply,
  stop,
  verbatim,
  type LaterReply,
} from "../../src/index.ts";
import { closeWith, defineRawChannel, defineRawSocket } from "../../src/raw.ts";
import { CANARY_PATH, canaryMount } from "../suites/canary-mount.ts";
import { startProbe, type Probe } from "../suites/probe.ts";

/** Short, so that requests of the fuzzer do not wait. */
const WINDOW_MS = 200;
const MAX_COUNT = 20;
const MAX_CHARACTERS = 2_000;
const LATE_MS = 5;

type Json = Readonly<Record<string, unknown>>;

function objectOf(payload: unknown): Json {
  return typeof payload === "object" && payload !== null ? (payload as Json) : {};
}

function countOf(payload: unknown, limit: number): number {
  const n = Number(objectOf(payload)["n"]);
  return n > 0 && n < limit ? Math.floor(n) : 1;
}

function bytesOf(payload: unknown): Uint8Array {
  return payload instanceof Uint8Array ? payload : new Uint8Array(3);
}

/** Passes off an invalid value as a result, which the library must detect. */
function noResult(value: unknown): never {
  return value as never;
}

const userSocket = defineSocket({
  connect: async ({ params }) => {
    if (params["reject"] !== undefined) return error({ reason: params["reject"] });
    if (params["boom"] !== undefined) throw new Error("connect was asked to throw");
    if (params["late"] !== undefined) await delay(LATE_MS);
    const userId = params["user_id"];
    return ok({ userId: typeof userId === "string" ? userId : null });
  },
  id: ({ assigns }) => (assigns.userId === null ? null : `users:${assigns.userId}`),
});
const serialSocket = defineSocket({
  joins: "serial",
  connect: () => ok({ userId: null as string | null }),
});

const presence = definePresence({ keys: "any" });

interface Tick {
  readonly ref?: LaterReply;
  readonly payload: unknown;
}

const room = defineChannel(userSocket, {
  async join(socket, payload) {
    switch (socket.topic) {
      case "room:private":
        return error({ reason: "unauthorized" });
      case "room:crash":
        throw new Error("join was asked to throw");
      case "room:exit":
      case "room:badreturn":
        return noResult("no result");
      case "room:errstring":
        return error("a string");
      case "room:echo_params":
        return ok({ params: payload });
      case "room:slow":
        await delay(LATE_MS);
        return ok();
      case "room:push_on_join":
        socket.send({ payload: { n: 1 } } satisfies Tick);
        return ok();
      default:
        return ok();
    }
  },

  handleIn: {
    echo: (_socket, payload) => reply("ok", payload),
    echo_error: (_socket, payload) => reply("error", payload),
    echo_custom: (_socket, payload) => reply("maybe", payload),
    ok: () => reply("ok"),
    error: () => reply("error"),
    noreply() {},
    ids: (socket) => reply("ok", { topic: socket.topic, join_ref: socket.joinRef, id: socket.id }),
    big: (_socket, payload) => reply("ok", { data: "x".repeat(countOf(payload, MAX_CHARACTERS)) }),
    binary_echo: (_socket, payload) => reply("ok", bytesOf(payload)),
    binary_error: (_socket, payload) => reply("error", bytesOf(payload)),
    binary_push: (socket, payload) => socket.push("pushed_bin", bytesOf(payload)),
    binary_to_text: (_socket, payload) => reply("ok", { size: bytesOf(payload).byteLength }),
    text_to_binary: () => reply("ok", new Uint8Array([1, 2, 3])),
    shout: (socket, payload) => socket.broadcast("shout", objectOf(payload)),
    shout_binary: (socket, payload) => socket.broadcast("shout_binary", bytesOf(payload)),
    shout_from: (socket, payload) => socket.broadcastFrom("shout_from", objectOf(payload)),
    shout_ack(socket, payload) {
      socket.broadcast("shout_ack", objectOf(payload));
      return reply("ok");
    },
    intercepted: (socket, payload) => socket.broadcast("intercepted", objectOf(payload)),
    push_me: (socket, payload) => socket.push("pushed", payload),
    push_then_reply(socket, payload) {
      socket.push("pushed", payload);
      return reply("ok", payload);
    },
    order(socket, payload) {
      const count = countOf(payload, MAX_COUNT);
      for (let i = 1; i <= count; i++) {
        if (i % 2 === 1) socket.broadcast("seq", { i });
        else socket.push("seq", { i });
      }
      return reply("ok", { done: count });
    },
    async_reply(socket, payload) {
      socket.sendAfter(LATE_MS, { ref: socket.replyLater(), payload } satisfies Tick);
    },
    double_async_reply(socket, payload) {
      const tick: Tick = { ref: socket.replyLater(), payload };
      socket.sendAfter(LATE_MS, tick);
      socket.sendAfter(LATE_MS, tick);
      return reply("ok", { first: true });
    },
    delayed: (socket, payload) => void socket.sendAfter(LATE_MS, { payload } satisfies Tick),
    async slow(_socket, payload) {
      await delay(LATE_MS);
      return reply("ok", payload);
    },
    verbatim: verbatim((socket, text) => socket.broadcast("verbatim", text)),
    subscribe(socket, payload) {
      socket.subscribe(String(objectOf(payload)["topic"]));
      return reply("ok");
    },
    stop: () => stop("normal"),
    stop_reply: (_socket, payload) => stop("normal", reply("ok", payload)),
    stop_shutdown: () => stop("shutdown"),
    stop_shutdown_tuple: () => stop({ shutdown: "going down" }),
    stop_abnormal: () => stop("abnormal"),
    crash() {
      throw new Error("the handler was asked to throw");
    },
    bad_return: () => noResult("no result"),
  },

  intercept: {
    intercepted: (socket, payload) => socket.push("intercepted", objectOf(payload)),
  },

  handleInfo(socket, message) {
    const { ref, payload } = objectOf(message) as unknown as Tick;
    if (ref === undefined) socket.push("tick", { payload });
    else ref.reply("ok", payload);
  },
});

const presenceChannel = defineChannel(userSocket, {
  join(socket) {
    socket.send("track");
    return ok();
  },
  handleIn: {
    update(socket, payload) {
      const { device = null } = objectOf(payload);
      presence.update(socket, keyOf(socket), (meta) => ({ ...meta, device: String(device) }));
      return ok();
    },
    untrack: (socket) => presence.untrack(socket, keyOf(socket)),
    list: (socket) => reply("ok", presence.list(socket)),
    crash() {
      throw new Error("the channel was asked to crash");
    },
  },
  handleInfo(socket) {
    presence.track(socket, keyOf(socket), { device: null });
  },
});

function keyOf({ assigns }: { readonly assigns: { readonly userId: string | null } }): string {
  return assigns.userId ?? "anon";
}

const Point = z.object({ x: z.number(), y: z.number(), tags: z.array(z.string()).optional() });
const Shape = z.object({ name: z.string(), points: z.array(Point) });

/** A channel whose messages are checked by schemas and written by compiled ones. */
const typed = defineChannel(userSocket, {
  in: {
    point: Point,
    shape: { payload: Shape, maxBytes: 1_000, reply: Shape },
  },
  out: { moved: Point },
  join: () => ok(),
  handleIn: {
    point: (socket, point) => socket.broadcast("moved", point),
    shape: (_socket, shape) => reply("ok", shape),
  },
});

const rawChannel = defineRawChannel(userSocket, {
  start(channel) {
    channel.accept({ options: null });
    channel.subscribe(channel.topic);
    return {
      receive(message) {
        if (message.event === "phx_leave") {
          channel.reply(message, "ok");
          channel.close();
        } else if (message.event === "crash") throw new Error("asked to crash");
        else channel.reply(message, "ok", message.payload);
      },
      broadcast: ({ event, payload }) => channel.push(event, { said: payload }),
      drain() {},
      end() {},
    };
  },
});

const rawSocket = defineRawSocket({
  connect: () => ok({}),
  init: (socket) => socket.subscribe("news"),
  handleIn(_socket, frame) {
    if (frame.data === "bye") return closeWith(4_000, "bye");
    return reply("ok", frame);
  },
});

/** Topics that begin with `echo:` are those of the checks. No mutated frame has one. */
const echo = defineChannel(userSocket, {
  join: () => ok(),
  handleIn: { echo: (_socket, payload) => reply("ok", payload) },
});
const serialEcho = defineChannel(serialSocket, {
  join: () => ok(),
  handleIn: { echo: (_socket, payload) => reply("ok", payload) },
});

const channels = {
  "echo:*": echo,
  "room:*": room,
  exact: room,
  "presence:*": presenceChannel,
  "typed:*": typed,
  "raw:*": rawChannel,
};

export default defineEndpoint({
  presences: [presence],
  checkOrigin: false,
  sockets: {
    "/socket": { socket: userSocket, channels, longpoll: { windowMs: WINDOW_MS } },
    "/deflate": { socket: userSocket, channels, websocket: { compress: true } },
    "/serial": { socket: serialSocket, channels: { "echo:*": serialEcho } },
    "/raw": { socket: rawSocket, longpoll: { windowMs: WINDOW_MS } },
    [CANARY_PATH]: canaryMount,
  },
  routes: {
    "GET /echo": ({ query }) => ({ status: 200, body: { n: query["n"] } }),
    "POST /length": async (request) => ({
      status: 200,
      body: { length: (await request.body()).length },
    }),
    "PUT /ignore": () => ({ status: 204 }),
    "GET /late": async ({ query }) => {
      await delay(LATE_MS);
      return { status: 200, body: { n: query["n"] } };
    },
    "GET /crash": () => {
      throw new Error("the route was asked to throw");
    },
    "GET /room/:name/:more": ({ params }) => ({ status: 200, body: params }),
  },
  start: ({ shard, data }) => startProbe(shard, data as Probe),
});
