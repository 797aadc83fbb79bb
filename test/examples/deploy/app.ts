import { defineChannel, defineEndpoint, defineSocket, ok } from "simurgh";

const socket = defineSocket({ connect: () => ok({}) });
const room = defineChannel(socket, { join: () => ok() });

export default defineEndpoint({
  sockets: { "/socket": { socket, channels: { "room:*": room } } },
  routes: {
    "GET /healthz": (_request, { isReady }) => ({ status: isReady ? 200 : 503 }),
  },
});
