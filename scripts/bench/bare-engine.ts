/**
 * The baseline: the smallest program on the bare engine that answers the frames of a benchmark.
 *
 * It parses each incoming frame with `JSON.parse`, encodes each outgoing frame with
 * `JSON.stringify`, and uses the engine's own `publish`. It has no checks, limits or error
 * handling. A public server needs them, and the ratio to this program shows their cost.
 *
 * Runs on: the main thread of its own process. `node bare-engine.js --port 4100`
 */

import { parseArgs } from "node:util";
import type { WebSocket } from "uWebSockets.js";
import { nativeModule } from "../../src/transport/engine/engine.ts";

type Frame = readonly [
  joinRef: string,
  ref: string,
  topic: string,
  event: string,
  payload: unknown,
];
interface UserData {
  readonly [name: string]: never;
}

const MAX_BACKPRESSURE_BYTES = 64 * 1024 * 1024;

const decoder = new TextDecoder();
const port = Number(parseArgs({ options: { port: { type: "string" } } }).values.port);
const engine = nativeModule();
const app = engine.App();

function reply(socket: WebSocket<UserData>, frame: Frame, response: unknown): void {
  const [joinRef, ref, topic] = frame;
  socket.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response }]));
}

app.ws<UserData>("/socket/websocket", {
  maxPayloadLength: 2 * 1024 * 1024,
  maxBackpressure: MAX_BACKPRESSURE_BYTES,
  idleTimeout: 0,
  sendPingsAutomatically: false,
  message(socket, bytes) {
    const frame = JSON.parse(decoder.decode(bytes)) as Frame;
    const [, , topic, event, payload] = frame;
    if (event === "e") {
      reply(socket, frame, payload);
    } else if (event === "b") {
      app.publish(topic, JSON.stringify([null, null, topic, "b", payload]));
    } else {
      if (event === "phx_join") socket.subscribe(topic);
      reply(socket, frame, {});
    }
  },
});
app.get("/healthz", (response) => {
  response.end("ok");
});
app.listen("127.0.0.1", port, engine.LIBUS_LISTEN_EXCLUSIVE_PORT, (listening) => {
  if (listening !== false) return;
  console.error(`bare-engine: cannot listen on 127.0.0.1:${port}`);
  process.exitCode = 1;
  app.close();
});
process.once("SIGTERM", () => app.close());
