import { defineChannel, defineEndpoint, error, ok } from "simurgh";

import { userSocket } from "./user-socket.js";

/** What only its user may join: `user:7`, where the token says 7. */
const inbox = defineChannel(userSocket, {
  join({ topic, assigns }) {
    return topic === `user:${assigns.userId}`
      ? ok({ messages: 0 })
      : error({ reason: "not yours" });
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "user:*": inbox } } },
});
