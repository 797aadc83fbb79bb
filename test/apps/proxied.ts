/**
 * An app that tells its clients what a proxy has said about them.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";

const socket = defineSocket({
  connect: ({ connectInfo: { xHeaders = [], peerData, uri } }) =>
    ok({ xHeaders, client: `${uri?.scheme} ${peerData?.address}` }),
});

const room = defineChannel(socket, {
  join: ({ assigns }) => ok({ ...Object.fromEntries(assigns.xHeaders), client: assigns.client }),
  handleIn: { echo: (_socket, payload) => reply("ok", payload) },
});

export default defineEndpoint({
  trustProxy: 1,
  // Compares the page's address with the request's, which only the proxy knows.
  checkOrigin: "conn",
  sockets: {
    "/socket": {
      socket,
      channels: { "room:*": room },
      longpoll: true,
      connectInfo: ["xHeaders", "peerData", "uri"],
    },
  },
  routes: {
    "GET /healthz": (_request, { isReady }) => ({ status: isReady ? 200 : 503 }),
  },
});
