/**
 * The WebSocket transport: mounts sockets on the engine's app and runs their connections.
 *
 * Runs on: shard; one for each.
 * Full: a message beyond the limit closes with 1009, silence with 1002 (WIRE §2.7); slow clients
 *       see slow-clients.
 */

import type { Logger } from "../../log/logger.ts";
import { CLOSE } from "../../protocol/reserved.ts";
import type { AnyIdentity } from "../../socket/identity.ts";
import type { ControlOpcode } from "../../socket/frame.ts";
import type { ServedSocket, SocketOpener } from "../../socket/served-socket.ts";
import type { ConnectionNumbering } from "../connection-numbering.ts";
import { Drain, type DrainCounts, type DrainPace } from "../drain.ts";
import type {
  Engine,
  EngineApp,
  HttpRequest,
  HttpResponse,
  WebSocketBehavior,
} from "../engine/engine-types.ts";
import type { Handshake } from "../handshake/handshake.ts";
import type { TransportMeter } from "../meter.ts";
import { spellingsOf, variablesOf } from "../http/path.ts";
import { readHead } from "../http/request-head.ts";
import { roomWithin, SlowClients } from "../slow-clients.ts";
import type { Sweep } from "../sweep.ts";
import { handleUpgrade, upgradeWants } from "./upgrade.ts";
import {
  WebSocketConnection,
  type ConnectionEvents,
  type ConnectionKind,
  type OurWebSocket,
  type WebSocketData,
} from "./websocket-connection.ts";

/** A mount's options for WebSocket. */
export interface WebSocketOptions {
  /** Silence after which a connection is closed (ms). */
  readonly timeoutMs: number;
  /** Largest message of a client (bytes), with the 6 to 14 of a frame's header. */
  readonly maxFrameBytes: number;
  /** True: frames are compressed both ways (permessage-deflate) for clients that offer it. */
  readonly compress: boolean;
}

/** What the transport is made of. */
export interface WebSocketParts {
  readonly engine: Engine;
  readonly app: EngineApp;
  readonly sockets: SocketOpener;
  readonly logger: Logger;
  readonly meter: TransportMeter;
  readonly sweep: Sweep;
  readonly numbers: ConnectionNumbering;
  /** Says whether no shard takes connections any more; this one's own drain is known here. */
  readonly isNodeDrained: () => boolean;
  readonly maxBackpressureBytes: number;
  readonly slowClientMs: number;
  /** What holds broadcasts for a while, where anything does. */
  readonly held: HeldPublishes;
}

/** Broadcasts that wait to be published. */
export interface HeldPublishes {
  readonly isEmpty: boolean;
  /** Publishes them now. */
  flush(): void;
}

/** Up to this much beyond our limit the engine hands messages over, so that we can say 1009. */
const FRAME_SLACK_BYTES = 1_048_576;
/** The engine's own limit of what it keeps for a client: so far above ours that ours decide. */
const CEILING_FACTOR = 16;
const LEAST_CEILING_BYTES = 16_777_216;
/** The engine keeps it as a 32-bit integer. */
const MOST_CEILING_BYTES = 2_147_483_647;

/** All WebSocket connections of a shard. */
export class WebSocketTransport implements ConnectionEvents {
  readonly roomBytes: number;
  readonly maxBacklogLength: number;
  readonly #parts: WebSocketParts;
  readonly #slowClients: SlowClients<WebSocketConnection>;
  readonly #connections = new Set<WebSocketConnection>();
  readonly #drain: Drain<WebSocketConnection>;
  readonly #lookAtSlow = (): void => this.#slowClients.lookWhereDue();
  /** No connection can have been silent for too long before this tick of the sweep. */
  #nextIdleTick = Infinity;

  constructor(parts: WebSocketParts) {
    this.#parts = parts;
    this.roomBytes = roomWithin(parts.maxBackpressureBytes);
    this.maxBacklogLength = parts.maxBackpressureBytes;
    this.#slowClients = new SlowClients({
      maxBytes: parts.maxBackpressureBytes,
      patienceMs: parts.slowClientMs,
      connections: this.#connections,
      meter: parts.meter,
      logger: parts.logger,
    });
    this.#drain = new Drain({
      transport: "websocket",
      connections: this.#connections,
      restart: (connection) => this.#restart(connection),
      cut: (connection) => connection.cut(),
    });
    parts.sweep.add((tick) => this.#look(tick));
  }

  /** Open connections. */
  get size(): number {
    return this.#connections.size;
  }

  /** Serves a socket at a path. */
  mount(path: string, handshake: Handshake, options: WebSocketOptions): void {
    const { engine, app } = this.#parts;
    const variables = variablesOf(path);
    const wants = upgradeWants(handshake);
    const kind = {
      idleTicks: Math.ceil(options.timeoutMs / this.#parts.sweep.tickMs) + 1,
      isCompressed: options.compress,
    };
    const parts = {
      handshake,
      corkAnother: (work: () => void, otherwise: () => void): void => {
        const [other] = this.#connections;
        if (other === undefined) otherwise();
        else other.cork(work);
      },
      isDraining: (): boolean => this.#drain.hasBegun || this.#parts.isNodeDrained(),
      accept: (identity: AnyIdentity): WebSocketData => this.#accept(identity, kind),
    };
    const behavior: WebSocketBehavior<WebSocketData> = {
      compression: options.compress
        ? engine.SHARED_COMPRESSOR | engine.SHARED_DECOMPRESSOR
        : engine.DISABLED,
      idleTimeout: 0,
      sendPingsAutomatically: false,
      maxPayloadLength: options.maxFrameBytes + FRAME_SLACK_BYTES,
      maxBackpressure: ceilingOf(this.#parts.maxBackpressureBytes),
      closeOnBackpressureLimit: false,
      upgrade: (response, request, upgradeContext) => {
        const head = readHead(response, request, variables, wants);
        handleUpgrade(response, head, upgradeContext, parts);
      },
      open: (ws) => this.#open(ws as OurWebSocket),
      message: (ws, message, isBinary) =>
        this.#receive((ws as OurWebSocket).connection, message, isBinary, options.maxFrameBytes),
      ping: (ws, data) => this.#control((ws as OurWebSocket).connection, "ping", data),
      pong: (ws, data) => this.#control((ws as OurWebSocket).connection, "pong", data),
      dropped: (ws) => this.#skipped((ws as OurWebSocket).connection),
      drain: (ws) => this.#drained((ws as OurWebSocket).connection),
      close: (ws, code) => this.#closed((ws as OurWebSocket).connection, code),
    };
    for (const spelling of spellingsOf(path)) {
      app.ws(spelling, behavior);
      app.any(spelling, (response: HttpResponse, request: HttpRequest) => {
        handleUpgrade(response, readHead(response, request, variables, wants), undefined, parts);
      });
    }
  }

  beforeSend({ socket }: WebSocketConnection): void {
    const { held } = this.#parts;
    if (!held.isEmpty && socket?.hasHeldBroadcasts === true) held.flush();
  }

  sent(length: number): void {
    this.#parts.meter.sent(1, length);
    this.#slowClients.sent(length);
  }

  published(receivers: number, bytes: number): void {
    this.#parts.meter.sent(receivers, bytes);
    this.#slowClients.published(bytes);
  }

  slow(connection: WebSocketConnection, cause: "behind" | "full"): void {
    this.#slowClients.note(connection, cause);
  }

  /**
   * Goes through the sockets of all open connections, in the order they came.
   *
   * @yields each socket
   */
  *openSockets(): Iterable<ServedSocket> {
    for (const { socket } of this.#connections) if (socket) yield socket;
  }

  /** Closes all connections with 1012, in batches, and takes no more; resolves when none is left. */
  async drain(pace: DrainPace): Promise<DrainCounts> {
    return this.#drain.run(pace);
  }

  /** Ends all connections at once; those that can take it get the close code. */
  cutAll(): void {
    this.#drain.endAll();
  }

  #restart(connection: WebSocketConnection): void {
    connection.socket?.end(CLOSE.restart, { shutdown: "draining" });
  }

  #accept(identity: AnyIdentity, kind: ConnectionKind): WebSocketData {
    const id = this.#parts.numbers.take();
    const connection = new WebSocketConnection(id, kind, this.#parts.sweep.tick, this);
    connection.socket = this.#parts.sockets.open(connection, identity);
    return { connection };
  }

  #open(ws: OurWebSocket): void {
    const { connection } = ws;
    connection.attach(ws);
    this.#connections.add(connection);
    this.#noteIdleTick(connection);
    this.#parts.meter.opened();
    connection.socket?.opened();
  }

  #receive(
    connection: WebSocketConnection,
    message: ArrayBuffer,
    isBinary: boolean,
    maxFrameBytes: number,
  ): void {
    const { socket } = connection;
    connection.lastInboundTick = this.#parts.sweep.tick;
    this.#parts.meter.received(message.byteLength);
    if (!socket) return;
    if (wireBytes(message.byteLength) > maxFrameBytes) {
      socket.end(CLOSE.tooLarge, { shutdown: "closed" });
    } else if (isBinary) {
      socket.receiveBytes(new Uint8Array(message));
    } else {
      socket.receiveText(Buffer.from(message).toString("utf8"));
    }
  }

  // The engine answers a ping itself: with the same bytes, which wait where the client does not read.
  #control(connection: WebSocketConnection, opcode: ControlOpcode, data: ArrayBuffer): void {
    connection.lastInboundTick = this.#parts.sweep.tick;
    if (opcode === "ping") this.#slowClients.sent(data.byteLength);
    connection.socket?.receiveControl(opcode, new Uint8Array(data));
  }

  // Called from within the engine's `send` and `publish`: nothing but notes may be made here.
  #skipped(connection: WebSocketConnection): void {
    this.#parts.meter.skipped();
    this.#slowClients.note(connection, "skipped");
  }

  #drained(connection: WebSocketConnection): void {
    connection.drained();
    this.#drain.taken(connection);
  }

  #closed(connection: WebSocketConnection, code: number): void {
    connection.detach();
    this.#connections.delete(connection);
    this.#slowClients.forget(connection);
    this.#parts.meter.closed();
    connection.socket?.closed(code, { shutdown: "closed" });
    this.#drain.closed(connection);
  }

  #look(tick: number): void {
    if (tick >= this.#nextIdleTick) this.#endIdle(tick);
    setImmediate(this.#lookAtSlow);
  }

  #endIdle(tick: number): void {
    this.#nextIdleTick = Infinity;
    for (const connection of this.#connections) {
      this.#noteIdleTick(connection);
      if (tick < connection.idleTick) continue;
      connection.socket?.end(CLOSE.idle, { shutdown: "closed" });
    }
  }

  #noteIdleTick({ idleTick }: WebSocketConnection): void {
    if (idleTick < this.#nextIdleTick) this.#nextIdleTick = idleTick;
  }
}

/** Gives the engine's limit for one of ours (bytes). */
function ceilingOf(maxBytes: number): number {
  return Math.min(Math.max(maxBytes * CEILING_FACTOR, LEAST_CEILING_BYTES), MOST_CEILING_BYTES);
}

/** Gives the bytes of a client's frame, header and mask included: what Phoenix's limit counts. */
function wireBytes(payloadBytes: number): number {
  if (payloadBytes < 126) return payloadBytes + 6;
  return payloadBytes + (payloadBytes < 65_536 ? 8 : 14);
}
