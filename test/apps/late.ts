/**
 * Routes and a socket that answer after the engine's callback for the request has returned, in the phase of immediates.
 *
 * Runs on: shard.
 */
import { defineEndpoint, defineSocket, ok } from "../../src/index.ts";

const socket = defineSocket({
  log: false,
  async connect({ params }) {
    // A parameter names the port of another server.
    const answer = await fetch(`http://127.0.0.1:${String(params["port"])}/`);
    await answer.text();
    return ok({});
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket, channels: {} } },
  routes: {
    "GET /late": () =>
      new Promise((resolve) => {
        setImmediate(() => resolve({ status: 200, body: "late" }));
      }),
    "GET /stream": () => ({
      status: 200,
      stream(out) {
        setImmediate(() => out.end("piece"));
      },
    }),
    "GET /torn": () => ({
      status: 200,
      stream(out) {
        setImmediate(() => out.abort());
      },
    }),
  },
});
