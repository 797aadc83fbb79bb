/**
 * An app over server-sent events: channels with and without a history, and a raw socket.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import {
  defineChannel,
  defineEndpoint,
  defineSocket,
  error,
  ok,
  reply,
  stop,
} from "../../src/index.ts";
import {
  closeWith,
  defineRawSocket,
  defineSerializer,
  jsonV1,
  type Message,
} from "../../src/raw.ts";

const userSocket = defineSocket({
  connect({ params, connectInfo, transport }) {
    if (params["refuse"] !== undefined) return error();
    if (params["hang"] !== undefined) return new Promise<ReturnType<typeof error>>(() => {});
    if (params["throw"] !== undefined) throw new Error("no connection here");
    const user = typeof params["user"] === "string" ? params["user"] : null;
    return ok({ user, transport, token: connectInfo.authToken ?? null });
  },
  id: ({ assigns }) => (assigns.user === null ? null : `users:${assigns.user}`),
});

const room = defineChannel(userSocket, {
  join(socket, payload) {
    if (socket.topic === "room:refused") return error({ reason: "not today" });
    return ok({ shard: socket.shard, payload });
  },
  handleIn: {
    told: (socket) => reply("ok", { ...socket.assigns }),
    echo: (_socket, payload) => reply("ok", payload),
    shout: (socket, payload) => socket.broadcast("shout", payload),
    show: (socket, payload: Uint8Array) => socket.broadcast("shown", payload),
    many: (socket, { count, size = 0 }: { count: number; size?: number }) => {
      const text = "x".repeat(size);
      for (let n = 1; n <= count; n += 1) socket.push("one", { n, text });
    },
    crash() {
      throw new Error("the handler was asked to throw");
    },
    stop: () => stop("normal"),
  },
  intercept: {
    end: (_socket, { how }: { how: string }) => {
      if (how === "stop") return stop("normal");
      throw new Error("the channel was asked to fail");
    },
  },
});

/** Keeps what clients miss that are away. */
const long = defineChannel(userSocket, {
  history: { size: 10_000, ttlMs: 600_000, ephemeral: ["typing"] },
  join: (_socket, payload) => ok({ others: payload }),
  handleIn: {
    say: (socket, payload: object) => socket.broadcast("said", payload),
    show: (socket, payload: Uint8Array) => socket.broadcast("shown", payload),
    type: (socket, payload: object) => socket.broadcast("typing", payload),
    crash() {
      throw new Error("the handler was asked to throw");
    },
  },
});

/** Fails on some messages, which it would pass on. Two topics have a first join that is refused, or throws. */
const firsts = new Set(["fragile:busy", "fragile:away"]);
const fragile = defineChannel(userSocket, {
  history: { size: 100, ttlMs: 600_000 },
  join: (socket) => {
    if (!firsts.delete(socket.topic)) return ok();
    if (socket.topic === "fragile:busy") return error({ reason: "overloaded" });
    throw new Error("the database is away");
  },
  intercept: {
    said: (socket, payload) => {
      if ((payload as { n: number }).n === 0) throw new Error("no zeros");
      socket.push("said", payload);
    },
  },
});

/** Takes its time to join, and lets everything wait meanwhile. */
const slowSocket = defineSocket({ connect: () => ok({}), joins: "serial" });
const slow = defineChannel(slowSocket, {
  join: async (_socket, payload) => {
    const { ms = 0 } = Object(payload) as { ms?: number };
    await new Promise((resolve) => {
      setTimeout(resolve, ms);
    });
    return ok();
  },
  handleIn: { echo: (_socket, payload) => reply("ok", payload) },
});

/** Echoes frames of any kind; `bye` ends the connection. */
const echo = defineRawSocket({
  connect: () => ok({}),
  handleIn: (socket, { data }) => {
    if (data === "bye") return closeWith(4_001);
    socket.push(data);
    return undefined;
  },
});

/** Messages as objects. */
const objects = defineSerializer({
  decode: (frame) => JSON.parse(String(frame)) as Message,
  encode: (message) => JSON.stringify(message),
});

const mount = {
  socket: userSocket,
  channels: { "room:*": room, "long:*": long, "fragile:*": fragile },
};

export default defineEndpoint({
  checkOrigin: ["//localhost", "//127.0.0.1"],
  sockets: {
    "/socket": { ...mount, longpoll: { windowMs: 1_000 }, sse: true, authToken: true },
    "/brief": {
      ...mount,
      longpoll: true,
      sse: { resumeMs: 600, heartbeatMs: 100, retryMs: 10, keptBytes: 4_096 },
    },
    "/steady": { ...mount, sse: { resumeMs: 1_500, heartbeatMs: 100, retryMs: 10 } },
    "/beating": { ...mount, sse: { heartbeatMs: 100, retryMs: 10 } },
    "/strict": { ...mount, sse: { path: "/events" }, checkOrigin: ["https://example.com"] },
    "/org/:org": { ...mount, sse: true },
    "/serial": { socket: slowSocket, channels: { "slow:*": slow }, sse: { resumeMs: 2_000 } },
    "/own": { ...mount, sse: true, serializers: [{ serializer: objects, version: "~> 2.0.0" }] },
    "/old": { ...mount, sse: true, serializers: [{ serializer: jsonV1, version: "~> 1.0.0" }] },
    "/raw": { socket: echo, sse: true },
  },
  routes: {
    "GET /page": () => ({
      status: 200,
      headers: { "content-type": "text/html" },
      body: "<!doctype html><title>a page of the app</title>",
    }),
  },
});
