/**
 * An app that reports to the host how it is drained: it broadcasts batches, ends of channels, and its stop
 * on the topic `log`.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import diagnostics from "node:diagnostics_channel";
import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";
import { holdLoop } from "./hold.ts";

const socket = defineSocket({
  connect: ({ params }) => ("never" in params ? new Promise<never>(() => undefined) : ok({})),
});

const room = defineChannel(socket, {
  join: (channel) => ok({ shard: channel.shard }),
  handleIn: {
    echo: (_channel, payload) => reply("ok", payload),
    /** Pushes so much that some remains unsent if the client does not read. */
    fill(channel, { count, bytes }: { count: number; bytes: number }) {
      for (let n = 0; n < count; n += 1) channel.push("filled", { text: "x".repeat(bytes) });
      return reply("ok");
    },
    exit() {
      setImmediate(() => process.exit(1));
    },
    spin: (_channel, { ms }: { ms: number }) => holdLoop(ms),
  },
  terminate({ topic, context }, reason) {
    context.broadcast("log", "terminated", { topic, reason });
    if (topic === "room:throws") throw new Error("terminate threw");
    return topic === "room:never ends" ? new Promise<never>(() => undefined) : undefined;
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket, channels: { "room:*": room }, longpoll: true } },
  routes: {
    "GET /healthz": (_request, { isReady }) => ({ status: isReady ? 200 : 503, body: "health" }),
  },
  start(context) {
    const { shard } = context;
    diagnostics.subscribe("simurgh:socket_drain", (batch) =>
      context.broadcast("log", "batch", { shard, ...(batch as object) }),
    );
  },
  stop: (context) => context.broadcast("log", "stopped", { shard: context.shard }),
});
