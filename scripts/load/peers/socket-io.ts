/**
 * The peer Socket.IO, tuned as its own documentation recommends. `node socket-io.js --port 4100`
 *
 * It uses a room for each topic, an acknowledgement for each echo, and `io.to(room).emit` for a
 * broadcast. Only the WebSocket transport is enabled, so that no client begins with long-poll. As
 * in all peers, there is no permessage-deflate and no HTTP compression. No client script is served,
 * and the request of each handshake is released, as Socket.IO's guide to memory usage advises. All
 * other options have their defaults. The server runs on `ws` or, with `--engine uws`, on
 * uWebSockets.js (`io.attachApp`), whose native publish is then used. Listeners are shared
 * functions, so that no closure is created for a connection.
 *
 * Runs on: the main thread of its own process, a single thread on any machine.
 */

import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { nativeModule } from "../../../src/transport/engine/engine.ts";
import { requirePeer } from "./packages.ts";

/** The parts of Socket.IO's API that are used; its types are not installed. */
interface SocketIo {
  readonly Server: new (options: object) => Io;
}
interface Io {
  /** The documentation says that `raw.request` may be dropped. */
  readonly engine: { on(event: "connection", listener: (raw: { request: unknown }) => void): void };
  attach(server: object): void;
  attachApp(app: object): void;
  on(event: "connection", listener: (socket: Socket) => void): void;
  to(room: string): { emit(event: string, payload: unknown): void };
  close(): Promise<void>;
}
interface Socket {
  /** Data of the application. */
  readonly data: { topic?: string };
  on(event: string, listener: (this: Socket, ...values: never[]) => void): void;
  join(room: string): void;
}

const LISTEN_BACKLOG = 4_096;
const { port: portText, engine: engineName } = parseArgs({
  options: { port: { type: "string" }, engine: { type: "string", default: "ws" } },
}).values;
const port = Number(portText);
const { Server } = requirePeer("socket.io") as SocketIo;
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
  const engine = nativeModule();
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
