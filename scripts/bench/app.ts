/**
 * The app that is measured: a broadcast and an echo, with every option as it is out of the box; and
 * the same with joins that are serial, under a path of its own.
 *
 * Runs on: shard.
 */

import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";
import { tellThread, type ShardThreads } from "./stats.ts";

const socket = defineSocket({ connect: () => ok({}) });
const serialSocket = defineSocket({ joins: "serial", connect: () => ok({}) });

/** The channel is the same for both: no assigns matter to it. */
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
