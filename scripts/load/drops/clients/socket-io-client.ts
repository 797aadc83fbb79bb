/**
 * A client of Socket.IO: its official client, with WebSocket only.
 *
 * Runs on: the clients' process.
 */

import { requirePeer } from "../../peers/packages.ts";
import { EVENTS, type Message } from "../load.ts";
import { tearTcp, type ClientEvents, type ClientSetting, type DropsClient } from "./client.ts";

/** The parts of the client's API that are used; its types are not installed. */
interface SocketIoClient {
  readonly io: (url: string, options: object) => Socket;
}
interface Socket {
  readonly io: Manager;
  /** Whether the server has recovered the connection state. */
  readonly recovered: boolean;
  on(event: string, listener: (payload: unknown) => void): void;
  emit(event: string, payload: unknown, acknowledge: () => void): void;
  disconnect(): void;
}
interface Manager {
  readonly engine: { readonly transport?: { readonly ws?: unknown } } | undefined;
  on(event: "open", listener: () => void): void;
  reconnectionDelay(ms: number): void;
  reconnectionDelayMax(ms: number): void;
}

/** For connections that were not torn by us; the client doubles it up to the maximum. */
const RETRY_MS = 10;
const LAST_RETRY_MS = 5_000;

/** Connects a client. @param hasRecovery - whether the server has connection state recovery */
export function connectSocketIoClient(
  { port, topic, awayMs }: ClientSetting,
  hasRecovery: boolean,
  events: ClientEvents,
): DropsClient {
  const { io } = requirePeer("socket.io-client") as SocketIoClient;
  const socket = io(`http://127.0.0.1:${port}`, {
    transports: ["websocket"],
    forceNew: true,
    randomizationFactor: 0,
    reconnectionDelay: RETRY_MS,
    reconnectionDelayMax: LAST_RETRY_MS,
  });
  const retryAfter = (firstMs: number, lastMs: number): void => {
    socket.io.reconnectionDelay(firstMs);
    socket.io.reconnectionDelayMax(lastMs);
  };
  let hasBeenHere = false;
  socket.io.on("open", () => {
    retryAfter(RETRY_MS, LAST_RETRY_MS);
    events.back();
  });
  socket.on("connect", () => {
    const isTold = hasRecovery && hasBeenHere && !socket.recovered;
    hasBeenHere = true;
    // With its state, the server has recovered its rooms.
    if (socket.recovered) events.joined(false);
    else socket.emit("join", topic, () => events.joined(isTold));
  });
  socket.on("disconnect", () => events.left());
  socket.on(EVENTS.message, (message) => events.heard(message as Message));
  socket.on(EVENTS.end, () => events.ended());
  return {
    tear(isReset) {
      retryAfter(awayMs, awayMs);
      tearTcp(socket.io.engine?.transport?.ws, isReset);
    },
    close: () => socket.disconnect(),
  };
}
