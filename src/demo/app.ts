/**
 * The app that `simurgh demo` serves: a small chat.
 *
 * Runs on: shard.
 */

import { defineEndpoint } from "../index.ts";
import { pageRoutes } from "./page.ts";
import { chatSocket, presence, room } from "./room.ts";

export default defineEndpoint({
  presences: [presence],
  sockets: {
    "/socket": {
      socket: chatSocket,
      channels: { "room:*": room },
      // Accept pages from this server's own host, whether opened by name or by address.
      checkOrigin: "conn",
      // A message has at most 500 characters, so the default of 10 MB is not needed.
      websocket: { maxFrameBytes: 16_384 },
    },
  },
  routes: pageRoutes,
});
