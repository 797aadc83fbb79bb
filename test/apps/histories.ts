/**
 * An app of channels with a history.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import {
  defineChannel,
  defineEndpoint,
  definePresence,
  defineSocket,
  error,
  ok,
} from "../../src/index.ts";
import { defineSerializer } from "../../src/raw.ts";
import type { Message } from "../../src/protocol/message.ts";

const socket = defineSocket({
  connect: ({ params }) => ok({ user: params["user"] ?? "nobody" }),
  id: ({ assigns }) => `users:${assigns.user}`,
});

/** The presences of `long` rooms. */
const visitors = definePresence();

const kept = { size: 5, ttlMs: 60_000, ephemeral: ["typing"] };

/** What an app may reply to a join, apart from plain objects. */
const REPLIES: Readonly<Record<string, () => object>> = {
  written: () => ({ hidden: 1, toJSON: () => ({ shown: 1 }) }),
  promise: () => Promise.resolve({ shown: 1 }),
  throwing: () => ({
    get shown(): number {
      throw new Error("a getter");
    },
  }),
};

/** Broadcasts whatever it is told to. */
const room = defineChannel(socket, {
  history: kept,
  join: (_socket, payload) => {
    const { refused, replied, ...others } = Object(payload) as Record<string, unknown>;
    if (refused === true) return error({ reason: "refused" });
    if (typeof replied === "string" && replied in REPLIES) return ok(REPLIES[replied]?.());
    if (replied !== undefined) return ok(replied as object);
    return ok(Object.keys(others).length === 0 ? undefined : { others });
  },
  handleIn: {
    say: (channel, payload: object) => channel.broadcast("said", payload),
    sayToOthers: (channel, payload: object) => channel.broadcastFrom("said", payload),
    type: (channel, payload: object) => channel.broadcast("typing", payload),
    sayOnce: (channel, payload: object) => {
      channel.broadcast("said", payload, { history: false });
      channel.broadcastFrom("said", payload, { history: false });
      channel.context.broadcast(channel.topic, "said", payload, { history: false });
    },
    sayScoped: (channel, { scope }: { scope: "cluster" | "node" | "thread" }) =>
      channel.context.broadcast(channel.topic, "said", { scope }, { scope }),
    sayBytes: (channel) => channel.broadcast("bytes", Uint8Array.of(1, 2)),
    shard: (channel) => ok({ shard: channel.shard }),
    publish: async (channel, { text, key }: { text: string; key?: string }) => {
      const options = key === undefined ? {} : { idempotencyKey: key };
      return ok(await channel.context.publish(channel.topic, "said", { text }, options));
    },
    history: async (channel, request: object) =>
      ok(await channel.context.history(channel.topic, request)),
    clear: async (channel) => {
      await channel.context.clearHistory(channel.topic);
      return ok();
    },
  },
});

/** Keeps enough for a client that is away for a while. */
const long = defineChannel(socket, {
  history: { size: 10_000, ttlMs: 60_000, ephemeral: ["typing"] },
  join: (_socket, payload) => (Object(payload)["refused"] === true ? error() : ok()),
  handleIn: {
    say: (channel, payload: object) => channel.broadcast("said", payload),
    sayToOthers: (channel, payload: object) => channel.broadcastFrom("said", payload),
    /** Broadcasts first, and then sends everything that may overtake that. */
    overtake: (channel) => {
      channel.broadcast("said", { n: 1 });
      channel.broadcast("typing", { n: 2 });
      visitors.track(channel, "ann", {});
      channel.push("pushed", { n: 3 });
      return ok({ n: 4 });
    },
    shard: (channel) => ok({ shard: channel.shard }),
    spin: (_channel, { ms }: { ms: number }) => {
      const untilMs = performance.now() + ms;
      while (performance.now() < untilMs);
    },
  },
});

/** Shows messages to the users that they are for, and `slow` ones later. */
const filtered = defineChannel(socket, {
  history: { size: 100, ttlMs: 60_000 },
  join: () => ok(),
  handleIn: {
    say: (channel, payload: object) => channel.broadcast("said", payload),
    plain: (channel, payload: object) => channel.broadcast("plain", payload),
  },
  intercept: {
    said: async (channel, payload) => {
      const { to, waitMs, text } = payload as { to?: string; waitMs?: number; text: string };
      if (waitMs !== undefined) {
        await new Promise((resolve) => {
          setTimeout(resolve, waitMs);
        });
      }
      if (to === undefined || to === channel.assigns.user) channel.push("said", { text });
    },
  },
});

/** Has no history, so that the key belongs to the app. */
const plain = defineChannel(socket, { join: (_socket, payload) => ok({ payload }) });

/** Throws for one text, as a serializer might for what it cannot represent. */
const picky = defineSerializer({
  decode: (frame) => {
    const [joinRef, ref, topic, event, payload] = JSON.parse(String(frame)) as unknown[];
    return { joinRef, ref, topic, event, payload } satisfies Message;
  },
  encode: ({ joinRef, ref, topic, event, payload }) => {
    if (JSON.stringify(payload).includes("unspeakable")) throw new Error("unspeakable");
    return JSON.stringify(["picky", joinRef, ref, topic, event, payload]);
  },
});

export default defineEndpoint({
  presences: [visitors],
  sockets: {
    "/socket": {
      socket,
      channels: { "room:*": room, "long:*": long, "filtered:*": filtered, "plain:*": plain },
      longpoll: true,
    },
    "/picky": {
      socket,
      channels: { "room:*": room },
      websocket: { serializers: [{ serializer: picky, version: "~> 2.0.0" }] },
    },
  },
  routes: {
    "POST /publish": async (request, context) => {
      const { topic = "", event = "" } = request.query;
      context.broadcast(topic, event, JSON.parse((await request.body()).toString()));
      return { status: 200 };
    },
  },
});
