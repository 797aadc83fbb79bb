/**
 * The app under test: a broadcast and an echo with default options, and the same with serial joins
 * under a separate path.
 *
 * Runs on: shard.
 */

import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";
import { tellThread, type ShardThreads } from "./stats.ts";

const socket = defineSocket({ connect: () => ok({}) });
const serialSocket = defineSocket({ joins: "serial", connect: () => ok({}) });

/** Used by both sockets, since it does not depend on assigns. */
const channel = defineChannel(socket, {
  join: () => ok(),
  handleIn: {
    b: (room, payload) => room.broadcast("b", payload),
    e: (_room, payload) => reply("ok", payload),
  },
});
const channels = { "bench:*": channel };

export default defineEndpoint({
  sockets: {
    "/socket": { socket, channels, longpoll: true },
    "/serial": { socket: serialSocket, channels },
  },
  routes: { "GET /healthz": () => ({ status: 200, body: "ok" }) },
  start: ({ shard, data }) => tellThread(shard, data as ShardThreads),
});
