/**
 * The peer Bun, with Bun's own server and publish. `bun bun-server.js --port 4100`
 *
 * It answers the same frames as the bare engine in the same way, with one `JSON.parse` for each
 * incoming frame, one `JSON.stringify` for each outgoing frame, and the server's native publish.
 * Like the bare engine, it has no permessage-deflate, timeouts or pings, and enough room for the
 * backlog of slow readers.
 *
 * Runs on: Bun, the main thread of its own process.
 */

import { parseArgs } from "node:util";

type Frame = readonly [
  joinRef: string,
  ref: string,
  topic: string,
  event: string,
  payload: unknown,
];

/** The parts of Bun's API that are used; its types are not installed. */
interface BunServer {
  upgrade(request: Request): boolean;
  publish(topic: string, data: string): number;
  stop(closeConnections: boolean): Promise<void>;
}
interface BunSocket {
  send(data: string): number;
  subscribe(topic: string): void;
}
declare const Bun: {
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: Request, server: BunServer): Response | undefined;
    websocket: {
      perMessageDeflate: boolean;
      maxPayloadLength: number;
      backpressureLimit: number;
      closeOnBackpressureLimit: boolean;
      idleTimeout: number;
      sendPings: boolean;
      message(socket: BunSocket, text: string): void;
    };
  }): BunServer;
};

const port = Number(parseArgs({ options: { port: { type: "string" } } }).values.port);

function reply(socket: BunSocket, frame: Frame, response: unknown): void {
  const [joinRef, ref, topic] = frame;
  socket.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response }]));
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port,
  fetch(request, self) {
    const { pathname } = new URL(request.url);
    if (pathname === "/socket/websocket" && self.upgrade(request)) return undefined;
    return new Response("ok", { status: pathname === "/healthz" ? 200 : 404 });
  },
  websocket: {
    perMessageDeflate: false,
    maxPayloadLength: 2 * 1024 * 1024,
    backpressureLimit: 64 * 1024 * 1024,
    closeOnBackpressureLimit: false,
    idleTimeout: 0,
    sendPings: false,
    message(socket, text) {
      const frame = JSON.parse(text) as Frame;
      const [, , topic, event, payload] = frame;
      if (event === "e") {
        reply(socket, frame, payload);
      } else if (event === "b") {
        server.publish(topic, JSON.stringify([null, null, topic, "b", payload]));
      } else {
        if (event === "phx_join") socket.subscribe(topic);
        reply(socket, frame, {});
      }
    },
  },
});
process.once("SIGTERM", () => void server.stop(true).then(() => process.exit(0)));
