/**
 * What both kinds of clients have in common: the port to the crowd that they belong to.
 *
 * Runs on: the clients' process.
 */

import type { Message } from "../load.ts";

/** How a client finds its server, and its way back. */
export interface ClientSetting {
  readonly port: number;
  readonly topic: string;
  /** Time from a tear to the next attempt to connect. */
  readonly awayMs: number;
}

/** What a client reports. */
export interface ClientEvents {
  /** Its connection is open. */
  back(): void;
  /** It has joined its topic. @param isTold - whether the server says that something is missing */
  joined(isTold: boolean): void;
  /** Its connection has ended. */
  left(): void;
  heard(message: Message): void;
  /** The mark behind the last message has arrived. */
  ended(): void;
}

/** A client, which connects and joins by itself, again and again. */
export interface DropsClient {
  /** Ends its TCP connection, if there is one, with a reset or without. */
  tear(isReset: boolean): void;
  close(): void;
}

/** The parts of a TCP connection that are used. */
interface Tcp {
  destroy(): void;
  resetAndDestroy(): void;
}

/** Ends the TCP connection below a WebSocket of `ws`, without a close frame. */
export function tearTcp(webSocket: unknown, isReset: boolean): void {
  const tcp = Reflect.get(Object(webSocket), "_socket") as Tcp | null | undefined;
  if (isReset) tcp?.resetAndDestroy();
  else tcp?.destroy();
}
