/**
 * A client of Simurgh: the official client of Phoenix, and the layer of `simurgh/client` that resumes.
 *
 * Runs on: the clients' process.
 */

import { Socket } from "phoenix";
import { WebSocket } from "ws";
import { Client } from "../../../../src/client/index.ts";
import { EVENTS, type Message } from "../load.ts";
import type { DropsApp } from "../servers/simurgh-app.ts";
import { tearTcp, type ClientEvents, type ClientSetting, type DropsClient } from "./client.ts";

/** The official client's own steps, for connections that were not torn by us. */
const RETRIES_MS = [10, 50, 100, 150, 200, 250, 500, 1_000, 2_000];
const LAST_RETRY_MS = 5_000;

/** Connects a client. Topics `kept:*` have a history. */
export function connectPhoenixClient(
  { port, topic, awayMs }: ClientSetting,
  events: ClientEvents,
): DropsClient {
  let isTorn = false;
  const socket = new Socket(`ws://127.0.0.1:${port}/socket`, {
    transport: WebSocket,
    reconnectAfterMs: (tries) => (isTorn ? awayMs : (RETRIES_MS[tries - 1] ?? LAST_RETRY_MS)),
  });
  socket.onOpen(() => {
    isTorn = false;
    events.back();
  });
  socket.onClose(() => events.left());
  const channel = join(new Client<DropsApp>(socket), topic, events);
  channel.on(EVENTS.message, (message) => events.heard(message as Message));
  channel.on(EVENTS.end, () => events.ended());
  socket.connect();
  return {
    tear(isReset) {
      isTorn = true;
      tearTcp(socket.conn, isReset);
    },
    close: () => socket.disconnect(),
  };
}

/** The part of a channel that is used. */
interface Listening {
  on(event: "said" | "ended", callback: (payload: unknown) => void): unknown;
}

function join(client: Client<DropsApp>, topic: string, events: ClientEvents): Listening {
  if (topic.startsWith("kept:")) {
    const channel = client.channel(topic as `kept:${string}`);
    channel.onRecovered(({ recovered }) => events.joined(!recovered));
    void channel.join();
    return channel;
  }
  const channel = client.channel(topic as `live:${string}`);
  // The official client calls this for each join.
  channel.channel.join().receive("ok", () => events.joined(false));
  return channel;
}
