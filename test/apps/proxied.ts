/**
 * An app that tells its clients what a proxy has said about them.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";

const socket = defineSocket({
  connect: ({ connectInfo }) => ok({ xHeaders: connectInfo.xHeaders ?? [] }),
});

const room = defineChannel(socket, {
  join: ({ assigns }) => ok(Object.fromEntries(assigns.xHeaders)),
  handleIn: { echo: (_socket, payload) => reply("ok", payload) },
});

export default defineEndpoint({
  // Compares the page's address with the request's, which only the proxy knows.
  checkOrigin: "conn",
  sockets: {
    "/socket": {
      socket,
      channels: { "room:*": room },
      longpoll: true,
      connectInfo: ["xHeaders"],
    },
  },
  routes: {
    "GET /healthz": (_request, { isReady }) => ({ status: isReady ? 200 : 503 }),
  },
});
