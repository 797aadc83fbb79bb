/**
 * The app under test whose topics have a history: otherwise as in `app.ts`.
 *
 * Runs on: shard.
 */

import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";
import { tellThread, type ShardThreads } from "./stats.ts";

const socket = defineSocket({ connect: () => ok({}) });

const channel = defineChannel(socket, {
  history: { size: 1_000, ttlMs: 300_000 },
  join: () => ok(),
  handleIn: {
    b: (room, payload) => room.broadcast("b", payload),
    e: (_room, payload) => reply("ok", payload),
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket, channels: { "bench:*": channel } } },
  routes: { "GET /healthz": () => ({ status: 200, body: "ok" }) },
  start: ({ shard, data }) => tellThread(shard, data as ShardThreads),
});
