/**
 * The WebSocket transport: mounts sockets on the engine's app and serves their connections.
 *
 * Runs on: shard; one instance per shard.
 * Full: a message over the limit closes the connection with 1009, and silence closes it with 1002. For slow clients,
 *       see `slow-clients`; for connections without a channel, `unjoined-connections`.
 */

import type { HeldBroadcasts } from "../../channel/held-broadcasts.ts";
import type { BufferVisit } from "../../held-bytes.ts";
import type { AddressPlace } from "../../limits/address-places.ts";
import { COUNTER } from "../../memory/counters-layout.ts";
import { CLOSE } from "../../protocol/reserved.ts";
import type { AnyIdentity } from "../../socket/identity.ts";
import type { ControlOpcode } from "../../socket/frame.ts";
import type { ServedSocket } from "../../socket/served-socket.ts";
import type { ConnectionSet } from "../connection-set.ts";
import type { DrainCounts, DrainPace } from "../drain.ts";
import type { EngineBehavior, EngineBytes, EngineLimits } from "../engine/app-port.ts";
import type { Engine } from "../engine/engine-port.ts";
import { handshakePolicyOf } from "../handshake/handshake-options.ts";
import { Handshake } from "../handshake/handshake.ts";
import { spellingsOf, variablesOf } from "../http/path.ts";
import type { RequestHandler } from "../http/request-gate.ts";
import { readHead } from "../http/request-head.ts";
import type { ServedMount, Transport, TransportShard } from "../transport.ts";
import { TurnBudget } from "../turn-budget.ts";
import type { WaitingMessage } from "../waiting-messages.ts";
import { handleUpgrade, upgradeWants } from "./upgrade.ts";
import {
  WebSocketConnection,
  type OurWebSocket,
  type WebSocketKind,
} from "./websocket-connection.ts";
import { websocketOptionsOf, websocketPathOf, type WebSocketOptions } from "./websocket-options.ts";

/** The engine accepts messages up to this much over our limit, so that we can close with 1009. */
export const FRAME_SLACK_BYTES = 65_536;
/** The engine's own limit for unsent bytes is far above ours, so that ours takes effect first. */
const CEILING_FACTOR = 16;
const MIN_CEILING_BYTES = 16_777_216;
/** The engine stores its limit as a 32-bit integer. */
const MAX_CEILING_BYTES = 2_147_483_647;

/** The WebSocket connections of a shard. */
export class WebSocketTransport implements Transport {
  readonly #shard: TransportShard;
  readonly #connections: ConnectionSet<WebSocketConnection>;
  readonly #engine: Engine;
  readonly #held: Pick<HeldBroadcasts, "isEmpty" | "flush">;
  readonly #budget: TurnBudget<WebSocketConnection>;
  readonly #checkSlow = (): void => this.#connections.slowClients.checkIfDue();
  /** The connection that is being opened, and its WebSocket: the engine calls `open` from within `upgrade`. */
  #opening: WebSocketConnection | undefined = undefined;
  #openingWs: OurWebSocket | undefined = undefined;
  /** No connection can be idle before this tick of the sweep. */
  #nextIdleTick = Infinity;

  /** @param held - broadcasts that are being coalesced */
  constructor(
    shard: TransportShard,
    connections: ConnectionSet<WebSocketConnection>,
    engine: Engine,
    held: Pick<HeldBroadcasts, "isEmpty" | "flush">,
  ) {
    this.#shard = shard;
    this.#connections = connections;
    this.#engine = engine;
    this.#held = held;
    this.#budget = new TurnBudget(shard.turn, (connection, { kind, bytes }) => {
      handle(connection, kind, bytes);
      connections.slowClients.checkHopeless(connection);
    });
    shard.sweep.add((tick) => this.#check(tick));
  }

  mount({ mount, options, endpoint }: ServedMount): void {
    const given = websocketOptionsOf(options);
    if (!given) return;
    const { options: server } = this.#shard;
    const { timeoutMs = server.idleTimeoutMs, maxFrameBytes = server.maxFrameBytes } = given;
    const policy = handshakePolicyOf(mount.path, endpoint, options, given);
    const handshake = new Handshake(mount, policy, "websocket", this.#shard);
    const path = websocketPathOf(mount.path, given);
    this.#serve(path, handshake, { timeoutMs, maxFrameBytes, compress: given.compress ?? false });
  }

  sockets(): Iterable<ServedSocket> {
    return this.#connections.sockets();
  }

  get maxHeldBytes(): number {
    return this.#connections.maxHeldBytes + this.#budget.heldBytes;
  }

  visitHeld(visit: BufferVisit): void {
    this.#connections.visitHeld(visit);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Cuts connections that have completed no message for longest. @returns how many */
  cutSilent(count: number): number {
    const { tick } = this.#shard.sweep;
    // A client that has just completed a message is not silent.
    const silent = [...this.#connections].filter((it) => it.lastInboundTick < tick - 1);
    silent.sort((a, b) => a.lastInboundTick - b.lastInboundTick);
    const cut = silent.slice(0, count);
    for (const connection of cut) connection.cut();
    return cut.length;
  }

  async drain(pace: DrainPace): Promise<DrainCounts> {
    return this.#connections.drain(pace);
  }

  recover(): void {
    this.#budget.recover();
    this.#connections.recover();
  }

  cut(): void {
    this.#connections.cut();
  }

  #serve(path: string, handshake: Handshake, options: WebSocketOptions): void {
    const { app, router, requests, sweep, tcp, proxies } = this.#shard;
    const variables = variablesOf(path);
    const wants = upgradeWants(handshake);
    const kind: WebSocketKind = {
      connections: this.#connections,
      held: this.#held,
      idleTicks: Math.ceil(options.timeoutMs / sweep.tickMs) + 1,
      isCompressed: options.compress,
      budget: this.#budget,
    };
    const steps = {
      handshake,
      connections: this.#connections,
      tcp,
      places: this.#shard.places,
      counters: this.#shard.counters,
      accept: (
        identity: AnyIdentity,
        place: AddressPlace | undefined,
        peerAddress: string,
      ): void => {
        this.#opening = this.#accept(identity, place, kind);
        if (proxies) this.#opening.clientAddress = peerAddress;
      },
      opened: () => this.#opened(),
    };
    const behavior: EngineBehavior = {
      ...this.#limitsOf(options),
      upgrade: (response, request, upgradeContext) => {
        const head = readHead(response, request, variables, wants, this.#shard);
        const upgrade: RequestHandler = (_response, _head, { isLong }, isLate) =>
          handleUpgrade({ response, head, isLong, isLate }, upgradeContext, steps);
        requests.pass(response, head, upgrade, true);
      },
      open: (ws) => {
        this.#openingWs = ws as OurWebSocket;
      },
      message: (ws, message, isBinary) =>
        this.#receive((ws as OurWebSocket).connection, message, isBinary, options.maxFrameBytes),
      ping: (ws, data) => this.#control((ws as OurWebSocket).connection, "ping", data),
      pong: (ws, data) => this.#control((ws as OurWebSocket).connection, "pong", data),
      dropped: (ws) => this.#skipped((ws as OurWebSocket).connection),
      drain: (ws) => this.#drained((ws as OurWebSocket).connection),
      close: (ws, code) => this.#closed((ws as OurWebSocket).connection, code),
    };
    router.addSocketPath(path);
    for (const spelling of spellingsOf(path)) {
      app.ws(spelling, behavior);
      router.serveSpelling("any", spelling, wants, (response, head, { isLong }, isLate) => {
        handleUpgrade({ response, head, isLong, isLate }, undefined, steps);
      });
    }
  }

  #limitsOf({ compress, maxFrameBytes }: WebSocketOptions): EngineLimits {
    const { compressed, uncompressed } = this.#engine;
    return {
      compression: compress ? compressed : uncompressed,
      idleTimeout: 0,
      sendPingsAutomatically: false,
      maxPayloadLength: maxFrameBytes + FRAME_SLACK_BYTES,
      maxBackpressure: ceilingOf(this.#shard.options.maxBackpressureBytes),
      closeOnBackpressureLimit: false,
    };
  }

  #accept(
    identity: AnyIdentity,
    place: AddressPlace | undefined,
    kind: WebSocketKind,
  ): WebSocketConnection {
    const { sweep, sockets, places } = this.#shard;
    const connection = new WebSocketConnection(this.#connections.takeNumber(), kind, sweep.tick);
    connection.socket = sockets.open(connection, identity);
    if (place) places?.hold(connection, place);
    return connection;
  }

  #opened(): void {
    const [connection, ws] = [this.#opening, this.#openingWs];
    this.#opening = undefined;
    this.#openingWs = undefined;
    if (!connection || !ws) return;
    ws.connection = connection;
    connection.attach(ws);
    this.#connections.add(connection);
    this.#noteIdleTick(connection);
    connection.socket?.opened();
  }

  #receive(
    connection: WebSocketConnection,
    message: EngineBytes,
    isBinary: boolean,
    maxFrameBytes: number,
  ): void {
    if (connection.tryFinishCut()) return;
    connection.lastInboundTick = this.#shard.sweep.tick;
    this.#connections.received(message.byteLength);
    if (this.#isTooLarge(connection, frameBytes(message.byteLength), maxFrameBytes)) {
      connection.socket?.end(CLOSE.tooLarge, { shutdown: "closed" });
    } else {
      this.#take(connection, isBinary ? "bytes" : "text", message);
    }
  }

  // The engine answers a ping itself, with the same bytes. If the client does not read, these bytes
  // stay unsent.
  #control(connection: WebSocketConnection, opcode: ControlOpcode, data: EngineBytes): void {
    if (connection.tryFinishCut()) return;
    connection.lastInboundTick = this.#shard.sweep.tick;
    if (opcode === "ping") this.#connections.slowClients.sent(data.byteLength);
    this.#take(connection, opcode, data);
  }

  #isTooLarge({ socket }: WebSocketConnection, bytes: number, maxFrameBytes: number): boolean {
    if (bytes > maxFrameBytes) return true;
    return bytes > this.#shard.options.maxUnjoinedFrameBytes && socket?.hasJoined === false;
  }

  #take(connection: WebSocketConnection, kind: WaitingMessage["kind"], given: EngineBytes): void {
    const bytes = given instanceof Uint8Array ? given : new Uint8Array(given);
    const verdict = this.#budget.take(connection, kind, bytes);
    if (verdict === "full") this.#cutFlooding(connection);
    else if (verdict === "now") handle(connection, kind, bytes);
    // The engine may go on reading from this client for long, before the turn ends.
    if (this.#budget.isHeavy(connection)) this.#connections.slowClients.checkHopeless(connection);
  }

  #cutFlooding(connection: WebSocketConnection): void {
    this.#shard.counters.add(COUNTER.floodCut, 1);
    this.#shard.logger.log("floodCut", { connection: connection.id });
    this.#shard.pauses?.add(connection.peerAddress);
    this.#budget.drop(connection);
    connection.cut();
  }

  // Called from within the engine's `send` and `publish`, where the engine must not be called again.
  #skipped(connection: WebSocketConnection): void {
    this.#shard.counters.add(COUNTER.engineSkips);
    this.#connections.slowClients.note(connection, "skipped");
  }

  #drained(connection: WebSocketConnection): void {
    connection.drained();
    this.#connections.taken(connection);
  }

  #closed(connection: WebSocketConnection, code: number): void {
    const { socket } = connection;
    this.#shard.tcp.webSocketClosed();
    this.#shard.places?.leave(connection);
    connection.detach();
    this.#connections.remove(connection);
    if (!socket) return;
    const closed = (): void => socket.closed(code, { shutdown: "closed" });
    if (socket.isEnded) this.#budget.drop(connection);
    // What the client sent before it closed is handled first.
    if (!this.#budget.finish(connection, closed)) closed();
  }

  #check(tick: number): void {
    if (tick >= this.#nextIdleTick) this.#endIdle(tick);
    setImmediate(this.#checkSlow);
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

/** Handles a message, whose bytes are valid only during the call. */
function handle(
  { socket }: WebSocketConnection,
  kind: WaitingMessage["kind"],
  bytes: Uint8Array,
): void {
  if (!socket || socket.isEnded) return;
  if (kind === "text") {
    socket.receiveText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
  } else if (kind === "bytes") {
    socket.receiveBytes(bytes);
  } else {
    socket.receiveControl(kind, bytes);
  }
}

/** Returns the engine's limit for the unsent bytes of a client. */
function ceilingOf(maxBackpressureBytes: number): number {
  const ceilingBytes = Math.max(maxBackpressureBytes * CEILING_FACTOR, MIN_CEILING_BYTES);
  return Math.min(ceilingBytes, MAX_CEILING_BYTES);
}

/** Returns the length of a client's frame with header and mask, which Phoenix's limit includes. */
function frameBytes(payloadBytes: number): number {
  if (payloadBytes < 126) return payloadBytes + 6;
  return payloadBytes + (payloadBytes < 65_536 ? 8 : 14);
}
