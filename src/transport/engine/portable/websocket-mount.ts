/**
 * A WebSocket path: makes upgraded connections WebSockets, with a server of the package `ws` that all its connections
 * share.
 *
 * Runs on: shard; one for each path.
 */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";

import { WebSocketServer, type Server } from "ws";

import type { EngineBehavior } from "../app-port.ts";
import { PortableWebSocket, type WebSocketPath } from "./portable-websocket.ts";
import type { Topics } from "./topics.ts";
import type { TurnEnd } from "./turn-end.ts";
import { WsClient } from "./ws-client.ts";

/** Values of a path's `compression`. */
export const UNCOMPRESSED = 0;
export const COMPRESSED = 1;

/** A key that `ws` accepts: 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;
/** An offer of compression that is accepted: any but one that asks the server for a smaller window than it has. */
const OFFER =
  /^\s*permessage-deflate\s*(?:;\s*(?:client_max_window_bits\s*(?:=\s*"?\d+"?)?|(?:client|server)_no_context_takeover)\s*)*$/i;
/** A message may arrive in as many pieces as this, or in pieces of this many bytes on average, whichever is more. */
const FREE_PIECES = 1_024;
const MIN_PIECE_BYTES = 64;
const ACCEPTED = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";
const NO_HEAD = Buffer.alloc(0);

/** Reports whether a request has a key with which it can become a WebSocket. */
export function hasKey({ headers }: IncomingMessage): boolean {
  return KEY.test(headers["sec-websocket-key"] ?? "");
}

/** Writes the accepted parameters of compression in the order of Phoenix. */
function sortExtension(headers: string[]): void {
  const at = headers.findIndex((line) => line.startsWith("Sec-WebSocket-Extensions:"));
  if (at !== -1) headers[at] = `Sec-WebSocket-Extensions: ${ACCEPTED}`;
}

/** A WebSocket path. */
export class WebSocketMount implements WebSocketPath {
  readonly behavior: EngineBehavior;
  readonly topics: Topics;
  readonly turnEnd: TurnEnd;
  readonly #server: Server<typeof WsClient>;

  constructor(behavior: EngineBehavior, topics: Topics, turnEnd: TurnEnd) {
    this.behavior = behavior;
    this.topics = topics;
    this.turnEnd = turnEnd;
    const { maxPayloadLength } = behavior;
    const maxPieces = Math.max(FREE_PIECES, Math.ceil(maxPayloadLength / MIN_PIECE_BYTES));
    this.#server = new WebSocketServer({
      WebSocket: WsClient,
      noServer: true,
      clientTracking: false,
      // Pongs are written at the end of the turn, like all else.
      autoPong: false,
      maxPayload: maxPayloadLength,
      maxBufferedChunks: maxPieces,
      maxFragments: maxPieces,
      // Messages are compressed one by one (`frame`), and those of a client must be too.
      perMessageDeflate: behavior.compression !== UNCOMPRESSED && {
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
      },
    });
    this.#server.on("headers", sortExtension);
  }

  /**
   * Answers 101, and opens the WebSocket.
   *
   * @param subprotocol - empty if there is none
   * @param extensions - what the client offers
   */
  upgrade(socket: Socket, key: string, subprotocol: string, extensions: string): PortableWebSocket {
    // The rest of the request has been checked. An offer is put in other words, because `ws` refuses
    // the request if it does not understand one.
    const headers: Record<string, string> = {
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": key,
    };
    if (subprotocol !== "") headers["sec-websocket-protocol"] = subprotocol;
    const isOffered = extensions.split(",").some((offer) => OFFER.test(offer));
    if (isOffered) headers["sec-websocket-extensions"] = "permessage-deflate";
    const request = { method: "GET", url: "/", headers } as unknown as IncomingMessage;
    let opened: PortableWebSocket | undefined;
    this.#server.handleUpgrade(request, socket, NO_HEAD, (client) => {
      opened = new PortableWebSocket(this, client, socket);
      client.own(opened);
    });
    // If the connection has just ended, there still is a WebSocket, since the caller counts on one.
    const ws = opened ?? PortableWebSocket.ended(this, socket);
    this.behavior.open(ws);
    return ws;
  }
}
