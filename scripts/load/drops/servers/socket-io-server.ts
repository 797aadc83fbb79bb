/**
 * Socket.IO under test, with a room for each topic: `node socket-io-server.js --port 4100 --topics 1
 * --prefix recovery`.
 *
 * With the prefix `recovery` it has connection state recovery, with all of its defaults: in-memory
 * adapter, two minutes. Other options as in `load:peers`.
 *
 * Runs on: the main thread of its own process, a single thread.
 */

import { createServer } from "node:http";
import { requirePeer } from "../../peers/packages.ts";
import { obey, readSetting } from "./orders.ts";

/** The parts of Socket.IO's API that are used; its types are not installed. */
interface SocketIo {
  readonly Server: new (server: object, options: object) => Io;
}
interface Io {
  on(event: "connection", listener: (socket: Socket) => void): void;
  to(room: string): { emit(event: string, payload: unknown): void };
  close(): Promise<void>;
}
interface Socket {
  on(event: "join", listener: (topic: string, acknowledge: () => void) => void): void;
  join(room: string): void;
}

const LISTEN_BACKLOG = 4_096;
const setting = readSetting();
const { Server } = requirePeer("socket.io") as SocketIo;
const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  perMessageDeflate: false,
  serveClient: false,
  ...(setting.prefix === "recovery" && { connectionStateRecovery: {} }),
});
io.on("connection", (socket) => {
  socket.on("join", (topic, acknowledge) => {
    socket.join(topic);
    acknowledge();
  });
});

async function publish(topic: string, event: string, payload: object): Promise<void> {
  io.to(topic).emit(event, payload);
}

http.listen(setting.port, "127.0.0.1", LISTEN_BACKLOG, () =>
  obey({ publish, close: () => io.close() }, setting),
);
