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
      // The page is ours wherever it was opened: by name, by address, from the next machine.
      checkOrigin: "conn",
      // A message has at most 500 characters; nobody needs the server's 10 MB here.
      websocket: { maxFrameBytes: 16_384 },
    },
  },
  routes: pageRoutes,
});
