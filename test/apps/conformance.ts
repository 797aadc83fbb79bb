/**
 * The counterpart of the app that the recorded Phoenix ran.
 *
 * Runs on: every shard, which loads it by its URL.
 *
 * `CHECK_ORIGIN` and `URL_HOST` are read from its environment.
 */
import { defineEndpoint } from "../../src/index.ts";
import { bench } from "./conformance/bench.ts";
import { history } from "./conformance/history.ts";
import { presence, presenceChannel } from "./conformance/presence.ts";
import { checkOriginOf } from "./conformance/origins.ts";
import { disconnect, publish } from "./conformance/routes.ts";
import { room } from "./conformance/room.ts";
import { answerTo, CLIENT_INFO, userSocket } from "./conformance/socket.ts";

const channels = {
  "room:*": room,
  exact: room,
  "presence:*": presenceChannel,
  "bench:*": bench,
  "history:*": history,
};
const mount = { socket: userSocket, channels, connectInfo: CLIENT_INFO };

export default defineEndpoint({
  urlHost: process.env["URL_HOST"] ?? "localhost",
  checkOrigin: checkOriginOf(process.env["CHECK_ORIGIN"]),
  presences: [presence],
  sockets: {
    "/socket": { ...mount, websocket: { timeoutMs: 60_000 }, longpoll: true },
    "/small": {
      ...mount,
      websocket: { timeoutMs: 2_000, maxFrameBytes: 4_096, compress: true },
      longpoll: { windowMs: 1_000, maxAgeMs: 3_000 },
    },
    "/authed": { ...mount, authToken: true, longpoll: true },
    "/origin": {
      ...mount,
      checkOrigin: ["https://example.com", "//another.com:888", "//*.wild.org"],
      longpoll: true,
    },
    "/origin_conn": { ...mount, checkOrigin: "conn", longpoll: true },
    "/custom": { ...mount, subprotocols: ["v12.stomp", "chat"], errorHandler: answerTo },
  },
  routes: {
    "GET /healthz": (_request, { isReady }) =>
      isReady ? { status: 200, body: "ok" } : { status: 503, body: "draining" },
    "POST /publish": publish,
    "POST /disconnect": disconnect,
  },
});
