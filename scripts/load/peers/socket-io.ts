/**
 * The peer Socket.IO, as fast as its own documents say how: `node socket-io.js --port 4100`.
 *
 * A room for each topic, an acknowledgement for each echo, `io.to(room).emit` for a broadcast. Only
 * the WebSocket transport, so that no client begins with long-poll; no permessage-deflate and no
 * compression of HTTP, as in all peers; no client script served; the request of each handshake is
 * let go of, which its guide to memory advises. What is left is as it comes out of the box, on `ws`;
 * with `--engine uws` on uWebSockets.js instead (`io.attachApp`), whose native publish it then uses.
 * Listeners are functions of the whole program, so that a connection costs no closure of ours.
 *
 * Runs on: the main thread of a process of its own, one thread whatever the machine has.
 */

import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { loadEngine } from "../../../src/transport/engine/engine.ts";
import { requireSocketIo } from "./packages.ts";

/** What is used of Socket.IO, whose types are not installed with this package. */
interface SocketIo {
  readonly Server: new (options: object) => Io;
}
interface Io {
  /** `raw.request` is documented as free to be dropped, and typed nowhere. */
  readonly engine: { on(event: "connection", listener: (raw: { request: unknown }) => void): void };
  attach(server: object): void;
  attachApp(app: object): void;
  on(event: "connection", listener: (socket: Socket) => void): void;
  to(room: string): { emit(event: string, payload: unknown): void };
  close(): Promise<void>;
}
interface Socket {
  /** Its own, for the program's use. */
  readonly data: { topic?: string };
  on(event: string, listener: (this: Socket, ...values: never[]) => void): void;
  join(room: string): void;
}

const LISTEN_BACKLOG = 4_096;
const { port: portText, engine: engineName } = parseArgs({
  options: { port: { type: "string" }, engine: { type: "string", default: "ws" } },
}).values;
const port = Number(portText);
const { Server } = requireSocketIo() as SocketIo;
const io = new Server({
  transports: ["websocket"],
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
  maxHttpBufferSize: 2 * 1024 * 1024,
});

function enter(this: Socket, topic: string, acknowledge: () => void): void {
  this.data.topic = topic;
  this.join(topic);
  acknowledge();
}

function echo(payload: unknown, acknowledge: (payload: unknown) => void): void {
  acknowledge(payload);
}

function broadcast(this: Socket, payload: unknown): void {
  if (this.data.topic !== undefined) io.to(this.data.topic).emit("b", payload);
}

io.on("connection", (socket) => {
  socket.on("join", enter);
  socket.on("e", echo);
  socket.on("b", broadcast);
});

if (engineName === "uws") {
  const engine = loadEngine();
  const app = engine.App();
  app.get("/healthz", (response) => void response.end("ok"));
  io.attachApp(app);
  app.listen("127.0.0.1", port, engine.LIBUS_LISTEN_EXCLUSIVE_PORT, (listening) => {
    if (listening !== false) return;
    console.error(`socket-io: cannot listen on 127.0.0.1:${port}`);
    process.exitCode = 1;
    app.close();
  });
  process.once("SIGTERM", () => app.close());
} else {
  const http = createServer((_request, response) => response.end("ok"));
  io.attach(http);
  http.listen(port, "127.0.0.1", LISTEN_BACKLOG);
}
io.engine.on("connection", (raw) => {
  raw.request = undefined;
});
process.once("SIGTERM", () => void io.close());
