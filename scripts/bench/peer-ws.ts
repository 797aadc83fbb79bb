/**
 * A peer for comparison, which answers the same frames with `ws`, as a plain Node.js program would.
 *
 * Runs on: the main thread of its own process. `node peer-ws.js --port 4100`
 */

import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { WebSocketServer, type WebSocket } from "ws";

type Frame = readonly [
  joinRef: string,
  ref: string,
  topic: string,
  event: string,
  payload: unknown,
];

const port = Number(parseArgs({ options: { port: { type: "string" } } }).values.port);
const subscribers = new Map<string, Set<WebSocket>>();
const http = createServer((_request, response) => response.end("ok"));
const server = new WebSocketServer({
  server: http,
  path: "/socket/websocket",
  perMessageDeflate: false,
});

function subscribe(socket: WebSocket, topic: string): void {
  const members = subscribers.get(topic) ?? new Set();
  subscribers.set(topic, members.add(socket));
  socket.once("close", () => members.delete(socket));
}

function reply(socket: WebSocket, frame: Frame, response: unknown): void {
  const [joinRef, ref, topic] = frame;
  socket.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response }]));
}

function publish(topic: string, payload: unknown): void {
  // Encoded once, because `ws` would encode a string again for each subscriber.
  const bytes = Buffer.from(JSON.stringify([null, null, topic, "b", payload]));
  for (const socket of subscribers.get(topic) ?? []) socket.send(bytes, { binary: false });
}

server.on("connection", (socket) => {
  // By default, `ws` passes each message as a Buffer.
  socket.on("message", (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as Frame;
    const [, , topic, event, payload] = frame;
    if (event === "e") {
      reply(socket, frame, payload);
    } else if (event === "b") {
      publish(topic, payload);
    } else {
      if (event === "phx_join") subscribe(socket, topic);
      reply(socket, frame, {});
    }
  });
});
http.listen(port, "127.0.0.1", 4096);
process.once("SIGTERM", () => {
  for (const socket of server.clients) socket.terminate();
  http.close();
});
