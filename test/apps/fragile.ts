/**
 * An app with routes that harm their shard in ways that no app should.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";

const socket = defineSocket({ connect: () => ok({}) });

const room = defineChannel(socket, {
  join: (channel) => ok({ shard: channel.shard }),
  handleIn: {
    echo: (_channel, payload) => reply("ok", payload),
    shout: (channel, payload) => channel.broadcast("shout", payload),
    throw_outside() {
      setImmediate(() => {
        throw new Error("thrown outside any handler");
      });
      return reply("ok");
    },
    exit_shard() {
      setImmediate(() => process.exit(3));
      return reply("ok");
    },
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket, channels: { "room:*": room } } },
  routes: { "GET /healthz": (_request, { isReady }) => ({ status: isReady ? 200 : 503 }) },
});
