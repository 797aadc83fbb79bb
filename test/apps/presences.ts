/**
 * An app whose channels track presences and end in every possible way.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  defineChannel,
  defineEndpoint,
  definePresence,
  defineSocket,
  error,
  ok,
  reply,
  stop,
} from "../../src/index.ts";
import { holdLoop } from "./hold.ts";

const FRUITS: Readonly<Record<string, string>> = { ann: "apple", bob: "banana" };

/** The presences of rooms. */
const rooms = definePresence<{ device: unknown }>();

/** Channels of this topic end when the test opens the gate, which is shared with it as `data`. */
export const GATED_TOPIC = "room:gated";
/** Words of the gate. */
export const GATE = { isReached: 0, isOpen: 1 } as const;

const MOST_TURNS = 4;
let fetches = 0;

/** Presences with fetched data. Of four answers in a row, each one overtakes the one before. */
const users = definePresence({
  name: "users",
  async fetch(topic, presences) {
    if (topic === "users:broken") throw new Error("no database");
    fetches += 1;
    for (let turn = fetches % MOST_TURNS; turn < MOST_TURNS; turn += 1) await nextTurn();
    for (const [key, entry] of Object.entries(presences)) entry["fruit"] = FRUITS[key] ?? null;
    return presences;
  },
});

const socket = defineSocket({
  connect: ({ params }) => ok({ userId: params["user_id"] ?? "nobody" }),
  id: ({ assigns }) => `users:${assigns.userId}`,
});

/** A room that tracks each client that joins. */
const room = defineChannel(socket, {
  join(channel, payload: { device?: unknown; refuse?: boolean; crash?: boolean }) {
    const { device = null, refuse, crash } = payload;
    if (refuse || crash) rooms.track(channel, channel.assigns.userId, { device });
    if (refuse) return error({ reason: "not today" });
    if (crash) throw new Error("crashed in join");
    channel.send({ device });
    return ok({ shard: channel.shard });
  },

  handleIn: {
    update(channel, payload: { device: unknown }) {
      const ref = rooms.update(channel, channel.assigns.userId, payload);
      return reply("ok", { ref });
    },
    untrack(channel) {
      rooms.untrack(channel, channel.assigns.userId);
      return reply("ok");
    },
    track_more(channel, { count, topic = channel.topic }: { count: number; topic?: string }) {
      for (let n = 0; n < count; n += 1)
        rooms.track(channel, topic, `${channel.assigns.userId} ${n}`, { device: n });
      return reply("ok");
    },
    untrack_more(channel, { count }: { count: number }) {
      for (let n = 0; n < count; n += 1) rooms.untrack(channel, `${channel.assigns.userId} ${n}`);
      return reply("ok");
    },
    list: (channel) => reply("ok", rooms.list(channel)),
    list_of: (_channel, { topic }: { topic: string }) => reply("ok", rooms.list(topic)),
    track_and_shout(channel, { n }: { n: number }) {
      rooms.track(channel, `n ${n}`, { device: n });
      channel.broadcast("shout", { n });
    },
    last_shout: (channel, { n }: { n: number }) => channel.broadcast(`shout ${n}`, {}),
    crash() {
      throw new Error("crash on demand");
    },
    stop: () => stop("normal"),
    exit_shard() {
      setImmediate(() => process.exit(3));
      return reply("ok");
    },
    spin(_channel, { ms }: { ms: number }) {
      setTimeout(() => holdLoop(ms), 20);
      return reply("ok");
    },
  },

  handleInfo(channel, message) {
    const { device } = message as { device: unknown };
    rooms.track(channel, channel.assigns.userId, { device });
    channel.push("presence_state", rooms.list(channel));
  },

  async terminate(channel) {
    if (channel.topic !== GATED_TOPIC) return;
    const gate = new Int32Array(channel.context.data as SharedArrayBuffer);
    Atomics.store(gate, GATE.isReached, 1);
    Atomics.notify(gate, GATE.isReached);
    await Atomics.waitAsync(gate, GATE.isOpen, 0).value;
  },
});

/** The same with fetched data. */
const userRoom = defineChannel(socket, {
  join(channel) {
    channel.send("joined");
    return ok();
  },
  async handleInfo(channel) {
    users.track(channel, channel.assigns.userId, {});
    channel.push("presence_state", await users.list(channel).catch(() => ({})));
  },
});

/** A channel without presences, for any topic. */
const any = defineChannel(socket, { join: () => ok() });

export default defineEndpoint({
  presences: [rooms, users],
  sockets: {
    "/socket": {
      socket,
      channels: { "room:*": room, "users:*": userRoom, "*": any },
      websocket: { timeoutMs: 60_000 },
      longpoll: true,
    },
  },
  routes: {
    "POST /shard": (_request, context) => {
      rooms.track(context, "shards", `shard ${context.shard}`, { device: "server" });
      return { status: 200, body: JSON.stringify(rooms.list(context, "shards")) };
    },
  },
});
