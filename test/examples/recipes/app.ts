import { defineChannel, defineEndpoint, defineSocket, error, ok, typed } from "simurgh";
import type { ContextOf } from "simurgh";
import { Token } from "simurgh/token";

import { Pool } from "./database.ts";

// Every shard loads this module, so each has a counter of its own.
let joinsOfThisShard = 0;

// Runs once in each shard, before it serves. What it returns is added to the shard's context.
const start = () => ({ pool: new Pool() });

const userSocket = defineSocket({
  context: typed<ContextOf<typeof start>>(),
  async connect({ params, context }) {
    const { user } = params;
    const userId = user === undefined ? undefined : await context.pool.idOf(user);
    return user === undefined || userId === undefined ? error() : ok({ user, userId });
  },
  // Of all connections of a user: server.disconnect("users:1") closes them.
  id: ({ assigns }) => `users:${assigns.userId}`,
});

const room = defineChannel(userSocket, {
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
const inbox = defineChannel(userSocket, {
  join: ({ topic, assigns }) =>
    topic === `inbox:${assigns.userId}` ? ok() : error({ reason: "not your inbox" }),
});

export default defineEndpoint({
  start,
  stop: ({ pool }) => pool.end(),
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room, "inbox:*": inbox } } },
  routes: {
    // For other processes, which sign their requests with the same secret.
    "POST /publish": async (request, context) => {
      const token = request.header("authorization")?.replace("Bearer ", "");
      if (!Token.verify(context.secretKeyBase, "publish", token, { maxAgeMs: 60_000 }).ok) {
        return { status: 403 };
      }
      const { topic, event, payload } = JSON.parse(new TextDecoder().decode(await request.body()));
      context.broadcast(topic, event, payload);
      return { status: 204 };
    },
  },
});
