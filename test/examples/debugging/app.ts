import diagnostics from "node:diagnostics_channel";

import { defineChannel, defineEndpoint, defineSocket, error, ok, typed } from "simurgh";

const userSocket = defineSocket({
  connect: ({ params }) => (params["user"] === "banned" ? error({ reason: "banned" }) : ok({})),
  id: () => "users:1",
  log: "debug",
});

const room = defineChannel(userSocket, {
  params: typed<{ password?: string }>(),
  // Joins are logged at info and messages at debug, unless the channel says otherwise.
  logJoin: "info",
  logHandleIn: "debug",
  join: (_socket, { password }) =>
    password === "sesame" ? ok() : error({ reason: "wrong password" }),
  handleIn: { say: (socket, payload) => socket.broadcast("said", payload) },
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
  // Of the parameters of clients; these two are the default.
  filterParameters: ["password", "token"],
  start() {
    // Every event of the telemetry, on this shard.
    diagnostics.subscribe("simurgh:channel_joined", (event) => {
      const { topic, result, durationMs } = event as Record<string, unknown>;
      console.log(`${String(topic)}: ${String(result)} after ${Number(durationMs).toFixed()} ms`);
    });
  },
});
