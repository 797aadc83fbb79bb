/**
 * The app that the recorded Phoenix ran, as far as it can be served today.
 *
 * Runs on: every shard, which loads it by its URL.
 *
 * The mounts that want what is not built yet are absent, and so is what they alone need:
 * `test/conformance/exceptions.ts` says which scenarios wait for what.
 */
import { defineEndpoint } from "../../src/index.ts";
import { bench } from "./conformance/bench.ts";
import { disconnect, publish } from "./conformance/routes.ts";
import { room } from "./conformance/room.ts";
import { userSocket } from "./conformance/socket.ts";

const channels = { "room:*": room, exact: room, "bench:*": bench };

export default defineEndpoint({
  sockets: {
    "/socket": { socket: userSocket, channels, websocket: { timeoutMs: 60_000 } },
    "/small": {
      socket: userSocket,
      channels,
      websocket: { timeoutMs: 2_000, maxFrameBytes: 4_096, compress: true },
    },
  },
  routes: {
    "GET /healthz": () => ({ status: 200, body: "ok" }),
    "POST /publish": publish,
    "POST /disconnect": disconnect,
  },
});
