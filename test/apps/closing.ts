/**
 * Routes that end after the engine's callback for the request has returned, in the phase of immediates.
 *
 * Runs on: shard.
 */
import { defineEndpoint } from "../../src/index.ts";

export default defineEndpoint({
  sockets: {},
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
