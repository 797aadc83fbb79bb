/**
 * An app whose channels block their shard and flood another topic.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { setImmediate } from "node:timers/promises";
import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";
import { holdLoop } from "./hold.ts";

/** The parameters of a flood. */
export interface Flood {
  readonly topic: string;
  readonly from: string;
  readonly count: number;
  readonly bytes: number;
}

const socket = defineSocket({
  connect: ({ params }) => ok({ userId: params["user_id"] ?? null }),
  id: ({ assigns }) => (assigns.userId === null ? null : `users:${assigns.userId}`),
});

const room = defineChannel(socket, {
  join: (channel) => ok({ shard: channel.shard }),
  handleIn: {
    echo: (_channel, payload) => reply("ok", payload),

    /** Blocks the shard after the reply has left, until the host releases it if it has passed a word. */
    spin({ context }, { ms }: { ms: number }) {
      const release = context.data as SharedArrayBuffer | undefined;
      setTimeout(() => holdLoop(ms, release), 50);
      return reply("ok");
    },

    async flood(channel, { topic, from, count, bytes }: Flood) {
      const { context } = channel;
      const filler = "x".repeat(bytes);
      for (let n = 1; n <= count; n += 1) {
        context.broadcast(topic, "n", { from, n, filler });
        await setImmediate();
      }
      return reply("ok");
    },
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket, channels: { "room:*": room } } },
});
