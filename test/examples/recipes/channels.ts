import { defineChannel, error, ok } from "simurgh";

import { userSocket } from "./user-socket.ts";

// Every shard loads this module, so each has a counter of its own.
let joinsOfThisShard = 0;

export const room = defineChannel(userSocket, {
  join(socket) {
    joinsOfThisShard += 1;
    return ok({ shard: socket.shard, joins: joinsOfThisShard });
  },
  handleIn: {
    // To one user, on all of their connections, shards and nodes.
    async whisper(socket, { to, text }: { to: string; text: string }) {
      const userId = await socket.context.pool.idOf(to);
      if (userId === undefined) return error({ reason: "unknown user" });
      socket.context.broadcast(`inbox:${userId}`, "whisper", { from: socket.assigns.user, text });
      return ok();
    },
    // Bytes come as a Uint8Array, and leave as bytes.
    draw: (socket, strokes: Uint8Array) => socket.broadcastFrom("drawn", strokes),
  },
});

// Only the user may join this topic.
export const inbox = defineChannel(userSocket, {
  join: ({ topic, assigns }) =>
    topic === `inbox:${assigns.userId}` ? ok() : error({ reason: "not your inbox" }),
});
