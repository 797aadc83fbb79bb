/**
 * The app of the task measurement: echoes, and work in a task or in the handler.
 *
 * Runs on: every shard, which loads it by its URL.
 */

import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../../src/index.ts";
import { burn } from "./burn.ts";

const socket = defineSocket({ connect: () => ok({}) });

const room = defineChannel(socket, {
  join: () => ok(),
  handleIn: {
    echo: (_socket, payload) => reply("ok", payload),
    task: async (channel, { rounds }: { rounds: number }) =>
      reply("ok", { sum: await channel.task("burn", rounds) }),
    handler: (_socket, { rounds }: { rounds: number }) => reply("ok", { sum: burn(rounds) }),
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket, channels: { "room:*": room } } },
  tasks: new URL("./work.js", import.meta.url),
});
