/**
 * Serves sockets: decodes frames, answers heartbeats, routes by topic, joins and leaves.
 *
 * The dispatch table is that of WIRE §1.7; its row numbers stand beside the code. While a topic's
 * join is not answered, what comes for the topic waits behind it, and is dispatched afterwards as
 * if it came then. On a serial socket everything waits, as in Phoenix.
 *
 * Runs on: shard; one for all its sockets.
 * Full: a join beyond `maxChannels`, or while the shard is overloaded, is answered with error; a
 *       backlog behind a join beyond `maxMailbox` closes the connection.
 */

import { isThenable } from "../callbacks/calls.ts";
import { Channel } from "../channel/channel.ts";
import type { ChannelServer } from "../channel/channel-server.ts";
import { STATE } from "../channel/channel-state.ts";
import type { Connection } from "../channel/connection.ts";
import { expiryOf, type Until } from "../callbacks/expiry.ts";
import { RawChannelEnd } from "../channel/raw-channel.ts";
import type { RawChannelServer } from "../channel/raw-channel-server.ts";
import type { ExitReason } from "../callbacks/results.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import type { Refusals } from "../limits/refusals.ts";
import type { Logger } from "../log/logger.ts";
import { isSameRef, type Message, type Ref } from "../protocol/message.ts";
import { CLOSE, EVENT, PHOENIX_TOPIC, REASON, STATUS } from "../protocol/reserved.ts";
import { refJson } from "../protocol/serializer.ts";
import type { ChannelRoute } from "./channel-router.ts";
import { countChannels, findChannel, listChannels, withChannel } from "./channel-table.ts";
import { RateGate } from "./rate-gate.ts";
import { assignsOf } from "./connect.ts";
import type { ExpiryBook, Mortal } from "./expiry-book.ts";
import type { ControlOpcode } from "./served-socket.ts";
import { Socket, type Identity, type SocketEvents } from "./socket.ts";
import { reportDisconnected, reportExpired } from "./socket-reports.ts";

/** Where the sockets with an id listen for their disconnect. PubSub is one. */
export interface IdTopics {
  subscribe(id: string, socket: Socket): void;
  unsubscribe(id: string, socket: Socket): void;
}

/** What a SocketServer is made of. */
export interface SocketServerParts {
  readonly channels: ChannelServer;
  readonly rawChannels: RawChannelServer;
  readonly idTopics: IdTopics;
  readonly expiries: ExpiryBook<Mortal>;
  readonly logger: Logger;
  readonly maxBacklog: number;
  readonly refusals: Refusals;
  /** Says whether the shard takes further joins. */
  readonly takesJoins: () => boolean;
  /** Called for each join that is refused as the shard takes none. */
  readonly onJoinRefused: () => void;
}

/** The server of a shard's sockets. */
export class SocketServer implements SocketEvents {
  readonly #parts: SocketServerParts;
  readonly #gate: RateGate;

  constructor(parts: SocketServerParts) {
    this.#parts = parts;
    this.#gate = new RateGate({
      refusals: parts.refusals,
      onRefused: (socket, message, retryAfterMs) =>
        this.#tellLimited(socket, message, retryAfterMs),
      onFlood: (socket) => this.end(socket, CLOSE.policyViolation, { shutdown: "closed" }),
    });
  }

  /** Takes a connection that was accepted. */
  open(connection: Connection, identity: Identity): Socket {
    const socket = new Socket(connection, identity, this);
    if (socket.id !== null) this.#parts.idTopics.subscribe(socket.id, socket);
    identity.mount.limiter?.opened(socket, identity.address);
    if (identity.expiresAtMs !== undefined) this.#parts.expiries.set(socket, identity.expiresAtMs);
    return socket;
  }

  /**
   * Takes a frame: text, or bytes, of which nothing is kept. One that is malformed closes the
   * connection (WIRE §2.7).
   */
  receive(socket: Socket, frame: string | Uint8Array): void {
    const { serializer } = socket;
    const { limiter } = socket.mount;
    if (limiter !== undefined && !this.#gate.takesFrame(socket, limiter, frame)) return;
    let message: Message | undefined;
    try {
      message =
        typeof frame === "string" ? serializer.decode(frame) : serializer.decodeBytes(frame);
    } catch (error) {
      // Only a serializer of the user's throws.
      this.failed(socket, error);
      return;
    }
    const text = typeof frame === "string" ? frame : undefined;
    if (!message) this.malformed(socket);
    else if (limiter === undefined || this.#gate.takesMessage(socket, limiter, message, frame)) {
      this.#take(socket, message, text);
    }
  }

  /** Is told of a control frame, which the transport has answered if it was a ping. */
  receiveControl(socket: Socket, opcode: ControlOpcode, data: Uint8Array): void {
    const { id, assigns, connection, isEnded } = socket;
    const { handleControl } = socket.mount.definition;
    if (!handleControl || isEnded) return;
    const seen = { id, assigns, transport: connection.transport };
    const failed = (error: unknown): void => {
      this.#parts.logger.log("controlFailed", { connection: connection.id, err: error });
      this.end(socket, CLOSE.internalError, { shutdown: "closed" });
    };
    try {
      const result = handleControl(seen, { opcode, data: new Uint8Array(data) });
      if (isThenable(result)) Promise.resolve(result).then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  /** Closes a connection that sent what cannot be decoded. */
  malformed(socket: Socket): void {
    this.#parts.logger.log("malformedFrame", { connection: socket.connection.id });
    this.end(socket, CLOSE.internalError, { shutdown: "closed" });
  }

  /** Closes a connection that something which must not fail has failed for. */
  failed(socket: Socket, error: unknown): void {
    this.#parts.logger.log("receiveFailed", { connection: socket.connection.id, err: error });
    this.end(socket, CLOSE.internalError, { shutdown: "closed" });
  }

  /** Closes a connection; its channels end with a reason. */
  end(socket: Socket, code: number, reason: ExitReason): void {
    if (socket.isEnded) return;
    if (code === CLOSE.restart) {
      for (const channel of listChannels(socket.channels)) channel.runtime.drain(channel);
      // The user's code has run, and may have disconnected it.
      if (socket.isEnded) return;
    }
    // First: the transport calls `closed` from within `close`, and would give another reason.
    socket.isEnded = true;
    socket.connection.close(code, "");
    this.#ended(socket, code, reason);
  }

  /** Is told that a connection is gone. */
  closed(socket: Socket, code: number, reason: ExitReason): void {
    if (socket.isEnded) return;
    socket.isEnded = true;
    this.#ended(socket, code, reason);
  }

  /**
   * Ends the channels of a client that is too slow for what is published to it; each is told.
   *
   * @returns how many there were: none, where all of its channels may miss broadcasts
   */
  tooSlow(socket: Socket): number {
    const published = listChannels(socket.channels).filter(({ isPublished }) => isPublished);
    for (const channel of published) channel.runtime.tooSlow(channel);
    return published.length;
  }

  /** Gives until when a connection may last. */
  expiryOf(socket: Socket): number | undefined {
    return this.#parts.expiries.get(socket);
  }

  /** Moves that, and replaces the assigns, unless these are somebody else's. */
  renew(socket: Socket, assigns: unknown, until: Until): boolean {
    const expiresAtMs = expiryOf(until);
    const given = assignsOf(assigns);
    if (socket.isEnded || socket.mount.definition.id({ assigns: given }) !== socket.id)
      return false;
    socket.assigns = given;
    this.#parts.expiries.set(socket, expiresAtMs);
    return true;
  }

  /** Tells the channels of a connection how much time it has left. */
  expiring(socket: Socket, leftMs: number): void {
    socket.connection.cork(() => {
      for (const channel of listChannels(socket.channels)) {
        channel.runtime.expiring(channel, leftMs);
      }
    });
  }

  /** Closes a connection whose time is over. */
  expired(socket: Socket, lateMs: number): void {
    reportExpired(socket, lateMs, socket.mount.definition.log, this.#parts.logger);
    this.end(socket, CLOSE.expired, { shutdown: "expired" });
  }

  disconnect(socket: Socket): void {
    this.end(socket, CLOSE.goingAway, { shutdown: "disconnected" });
  }

  joinSettled(socket: Socket, channel: RoutedChannel): void {
    if (socket.joining === channel) socket.joining = undefined;
    const { pending } = channel;
    if (pending) {
      channel.pending = undefined;
      if (pending.replaced) this.#sendClose(socket, channel.topic, pending.replaced.joinRef);
      // One of these may be a join that waits in its turn: the rest then waits behind it.
      for (const { message, frame } of pending.backlog) this.#take(socket, message, frame);
    }
    if (!socket.joining) socket.onIdle?.();
  }

  #tellLimited(socket: Socket, message: Message, retryAfterMs: number): void {
    const response = { reason: REASON.rateLimited, retry_after: retryAfterMs };
    try {
      this.#reply(socket, message.joinRef, message, STATUS.error, response);
    } catch (error) {
      this.failed(socket, error);
    }
  }

  #ended(socket: Socket, code: number, reason: ExitReason): void {
    if (socket.id !== null) this.#parts.idTopics.unsubscribe(socket.id, socket);
    this.#parts.expiries.forget(socket);
    reportDisconnected(socket, code);
    for (const channel of listChannels(socket.channels)) channel.runtime.close(channel, reason);
  }

  // Users' code is wrapped where it is called. Whatever else goes wrong costs this connection only.
  #take(socket: Socket, message: Message, frame: string | undefined): void {
    try {
      this.#receive(socket, message, frame);
    } catch (error) {
      this.failed(socket, error);
    }
  }

  #receive(socket: Socket, message: Message, frame: string | undefined): void {
    if (socket.isEnded) return;
    if (socket.joining) {
      this.#wait(socket, socket.joining, message, frame);
      return;
    }
    const { topic, event } = message;
    if (topic === PHOENIX_TOPIC && event === EVENT.heartbeat) {
      this.#reply(socket, null, message, STATUS.ok, {}); // row 1
      return;
    }
    const channel = typeof topic === "string" ? findChannel(socket.channels, topic) : undefined;
    if (!channel) this.#receiveUnjoined(socket, message);
    else if (channel.state === STATE.joining) this.#wait(socket, channel, message, frame);
    else this.#receiveJoined(socket, channel, message, frame);
  }

  #receiveUnjoined(socket: Socket, message: Message): void {
    const { topic, event } = message;
    if (event === EVENT.join) {
      const route = typeof topic === "string" && socket.mount.router.match(topic);
      if (!route) this.#unmatched(socket, message); // row 4
      else if (this.#mayJoin(socket, route, message))
        this.#join(socket, topic, route, message, undefined); // rows 2, 3
    } else if (event === EVENT.leave) {
      this.#reply(socket, message.joinRef, message, STATUS.ok, {}); // row 10
    } else {
      this.#unmatched(socket, message); // row 11
    }
  }

  #receiveJoined(
    socket: Socket,
    channel: RoutedChannel,
    message: Message,
    frame: string | undefined,
  ): void {
    const { joinRef, event } = message;
    if (event === EVENT.join) {
      this.#joinAgain(socket, channel, message); // row 5
      return;
    }
    // Stale: meant for an earlier join of the topic (rows 7, 9).
    if (joinRef !== null && !isSameRef(joinRef, channel.sentJoinRef)) return;
    if (event === EVENT.leave) channel.runtime.leave(channel, message); // row 6
    else if (channel.limiter === undefined || this.#gate.takesIn(socket, channel, message, frame)) {
      channel.runtime.receiveIn(channel, message, frame); // row 8
    }
  }

  #joinAgain(socket: Socket, channel: RoutedChannel, message: Message): void {
    const { topic, sentJoinRef } = channel;
    // A leave that was read before this join is older than it, and is done first.
    if (channel.isLeaving) channel.runtime.flush(channel);
    if (findChannel(socket.channels, topic) !== channel) {
      this.#receiveUnjoined(socket, message);
      return;
    }
    const route = socket.mount.router.match(topic);
    // Nothing is changed by a join that comes too often: the channel that there is goes on.
    if (route && !this.#mayJoin(socket, route, message)) return;
    this.#parts.logger.log("duplicateJoin", { topic });
    channel.runtime.kill(channel);
    if (route) this.#join(socket, topic, route, message, { joinRef: sentJoinRef });
  }

  #mayJoin(socket: Socket, { channel }: ChannelRoute, message: Message): boolean {
    return "start" in channel || this.#gate.takesJoin(socket, channel, message);
  }

  #join(
    socket: Socket,
    topic: string,
    route: ChannelRoute,
    message: Message,
    replaced: { readonly joinRef: Ref } | undefined,
  ): void {
    const { mount, channels } = socket;
    if (countChannels(channels) >= mount.maxChannels) {
      this.#parts.logger.log("tooManyChannels", { topic, max: mount.maxChannels });
      const response = { reason: REASON.tooManyChannels };
      this.#reply(socket, message.joinRef, message, STATUS.error, response);
      return;
    }
    if (!this.#parts.takesJoins()) {
      this.#parts.onJoinRefused();
      const response = { reason: REASON.overloaded };
      this.#reply(socket, message.joinRef, message, STATUS.error, response);
      if (replaced) this.#sendClose(socket, topic, replaced.joinRef);
      return;
    }
    const channel = this.#makeChannel(socket, topic, route, message);
    if (replaced) channel.pending = { backlog: [], replaced };
    if (socket.isSerial) socket.joining = channel;
    socket.channels = withChannel(socket.channels, channel);
    channel.runtime.join(channel, message.ref, message.payload);
  }

  #makeChannel(
    owner: Socket,
    topic: string,
    { channel: definition, assigns: own, options }: ChannelRoute,
    { joinRef, ref }: Message,
  ): RoutedChannel {
    const { assigns: given } = owner;
    const assigns = own ? Object.freeze({ ...given, ...own }) : given;
    const parts = { owner, topic, assigns, joinRef, ref };
    if ("start" in definition) {
      const runtime = this.#parts.rawChannels;
      return new RawChannelEnd({ ...parts, runtime, definition, options });
    }
    return new Channel({ ...parts, runtime: this.#parts.channels, definition });
  }

  #wait(socket: Socket, channel: RoutedChannel, message: Message, frame: string | undefined): void {
    channel.pending ??= { backlog: [], replaced: undefined };
    if (channel.pending.backlog.length < this.#parts.maxBacklog) {
      const { keepsFrames } = socket.mount.router;
      channel.pending.backlog.push({ message, frame: keepsFrames ? frame : undefined });
      return;
    }
    this.end(socket, CLOSE.internalError, { shutdown: "closed" });
  }

  #unmatched(socket: Socket, message: Message): void {
    this.#parts.logger.log("unmatchedTopic", { topic: message.topic, event: message.event });
    this.#reply(socket, null, message, STATUS.error, { reason: REASON.unmatchedTopic });
  }

  #reply(socket: Socket, joinRef: Ref, message: Message, status: string, response: object): void {
    const { connection, serializer } = socket;
    const topicJson = JSON.stringify(message.topic);
    const frame = serializer.reply(refJson(joinRef), message.ref, topicJson, status, response);
    connection.send(frame);
  }

  #sendClose(socket: Socket, topic: string, joinRef: Ref): void {
    const { connection, serializer } = socket;
    const frame = serializer.end(refJson(joinRef), JSON.stringify(topic), EVENT.close, {});
    connection.send(frame);
  }
}
