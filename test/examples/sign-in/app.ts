import { defineChannel, defineEndpoint, error, ok } from "simurgh";

import { userSocket } from "./user-socket.js";

/** An inbox that only its user can join: `user:7` needs a token for user 7. */
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
