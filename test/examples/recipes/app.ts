import { defineEndpoint } from "simurgh";
import { Token } from "simurgh/token";

import { inbox, room } from "./channels.ts";
import { start, userSocket } from "./user-socket.ts";

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
