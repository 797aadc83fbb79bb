/**
 * An app whose channels reach other nodes in every possible way.
 *
 * Runs on: shard.
 */

import { defineChannel, defineEndpoint, defineSocket, ok } from "../../src/index.ts";

const userSocket = defineSocket({
  connect: ({ params }) => ok({ userId: params["user_id"] ?? "nobody" }),
  id: ({ assigns }) => `users:${assigns.userId}`,
});

interface Direct {
  readonly node: string;
  readonly n: number;
}

const room = defineChannel(userSocket, {
  join: (socket) => ok({ shard: socket.shard }),
  handleIn: {
    shout: (socket, payload) => socket.broadcast("shout", payload),
    shout_from: (socket, payload) => socket.broadcastFrom("shout", payload),
    local(socket, payload) {
      socket.context.broadcast(socket.topic, "shout", payload, { scope: "node" });
    },
    direct(socket, payload) {
      const { node, n } = payload as Direct;
      socket.context.broadcast(socket.topic, "shout", { n }, { node });
    },
    ban(socket, payload) {
      socket.context.disconnect(payload as string);
    },
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
});
