/**
 * An app for clients that flood it: calls, broadcasts, and routes with and without a body.
 *
 * Runs on: every shard, which loads it by its URL. `FLOODED_TRUST_PROXY` is the address of a proxy.
 */
import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";

const socket = defineSocket({ connect: () => ok({}), log: false });

const room = defineChannel(socket, {
  logJoin: false,
  join: () => ok(),
  handleIn: {
    call: () => reply("ok", {}),
    say: (from, payload) => from.broadcast("said", payload),
    silent() {},
    costly() {
      const endMs = performance.now() + 1;
      while (performance.now() < endMs);
    },
  },
});

const proxy = process.env["FLOODED_TRUST_PROXY"];

export default defineEndpoint({
  ...(proxy !== undefined && { trustProxy: [proxy] }),
  sockets: { "/socket": { socket, channels: { "room:*": room }, longpoll: true } },
  routes: {
    "GET /quick": () => ({ status: 200, body: "ok" }),
    "GET /later": async () => ({ status: 200, body: "ok" }),
    "POST /body": async (request) => ({ status: 200, body: { n: (await request.body()).length } }),
  },
});
