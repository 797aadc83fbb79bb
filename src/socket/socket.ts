/**
 * The socket of one connection, with its identity and the channels that it has joined.
 *
 * It decodes frames, answers heartbeats, and dispatches messages by topic (`dispatch`). While a
 * topic's join has not been answered, messages for the topic wait behind it, and are dispatched
 * afterwards as if they had just arrived. On a serial socket all messages wait, as in Phoenix.
 *
 * Runs on: the shard that owns the connection. Methods are `private` for the compiler only, since a
 *       #method adds a field to each object.
 * Full: a join beyond `maxChannels` is answered with an error. While the shard is overloaded, so are joins and large
 *       messages, whose handlers may hold them for long. If more than `maxMailbox` messages wait behind a join, or
 *       more than `maxWaitingBytes` for all its channels, the connection is closed.
 */

import { expiryOf, type Until } from "../callbacks/expiry.ts";
import { isThenable, promised } from "../callbacks/promises.ts";
import type { ExitReason } from "../callbacks/results.ts";
import { Channel } from "../channel/channel.ts";
import { STATE } from "../channel/channel-state.ts";
import type { Connection } from "../channel/connection.ts";
import { RawChannel } from "../channel/raw-channel.ts";
import type { ChannelOwner, RoutedChannel } from "../channel/routed-channel.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Message, Ref } from "../protocol/message.ts";
import { CLOSE, EVENT, REASON, STATUS } from "../protocol/reserved.ts";
import { refJson, type Serializer } from "../protocol/serializer.ts";
import type { Listener } from "../pubsub/registry.ts";
import type { ChannelRoute } from "./channel-router.ts";
import {
  countChannels,
  findChannel,
  listChannels,
  NO_CHANNELS,
  someChannel,
  withChannel,
  withoutChannel,
  type ChannelTable,
} from "./channel-table.ts";
import { assignsOf } from "./connect.ts";
import type { SlowClientPolicy } from "./definition.ts";
import { ACTION, actionOf, type Action } from "./dispatch.ts";
import type { Expirable } from "./expiry-book.ts";
import type { ControlOpcode } from "./frame.ts";
import type { Identity } from "./identity.ts";
import type { SocketMount } from "./mount.ts";
import { FLOOD, PASS, type Verdict } from "./rate-gate.ts";
import type { ServedSocket } from "./served-socket.ts";
import type { ShardSockets } from "./shard-sockets.ts";
import type { SocketBuckets } from "./socket-buckets.ts";
import { reportDisconnected, reportExpired } from "./socket-reports.ts";

/** The heads of longer text frames are decoded first, so that a refused frame is not parsed (UTF-16 units). */
const HEAD_FIRST_FROM = 1_024;
/** Frames of this length or more are refused while the shard is overloaded (bytes, or UTF-16 units of text). */
const LARGE_FROM = 4_096;

/** A socket with channels. */
export class Socket implements ServedSocket, ChannelOwner, Listener, Expirable {
  readonly connection: Connection;
  readonly mount: SocketMount;
  readonly serializer: Serializer;
  /** The assigns returned by `connect` or set by the last renewal. */
  assigns: object;
  readonly id: string | null;
  readonly shared: ShardSockets;
  channels: ChannelTable = NO_CHANNELS;
  /** The channel for whose join all messages wait, on a serial socket. */
  joining: RoutedChannel | undefined = undefined;
  onIdle: (() => void) | undefined = undefined;
  isEnded = false;
  /** State of the rate limits; absent until a limit applies. */
  declare buckets?: SocketBuckets;

  constructor(shared: ShardSockets, connection: Connection, identity: Identity) {
    this.connection = connection;
    // The identity is not kept, since that would be one more object per connection.
    this.mount = identity.mount;
    this.serializer = identity.serializer;
    this.assigns = identity.assigns;
    this.id = identity.id;
    this.shared = shared;
    if (this.id !== null) shared.channels.pubsub.subscribe(this.id, this);
    this.mount.limiter?.opened(this, identity.address);
    if (identity.expiresAtMs !== undefined) shared.expiries.set(this, identity.expiresAtMs);
  }

  // -- ServedSocket: for the transport -----------------------------------------------------------

  get path(): string {
    return this.mount.path;
  }

  get slowClients(): SlowClientPolicy {
    return this.mount.definition.slowClients;
  }

  get isSerial(): boolean {
    return this.mount.definition.isSerial;
  }

  get isHeldUp(): boolean {
    return this.joining !== undefined;
  }

  get hasJoined(): boolean {
    return someChannel(this.channels, isJoined);
  }

  get hasHeldBroadcasts(): boolean {
    return someChannel(this.channels, isHeld);
  }

  allChannels(): readonly RoutedChannel[] {
    return listChannels(this.channels);
  }

  isHandling(topic: string): boolean {
    return findChannel(this.channels, topic)?.isHandling ?? false;
  }

  /** Does nothing, because a socket sends nothing before its client does. */
  opened(): void {}

  receiveText(frame: string): void {
    this.receiveFrame(frame);
  }

  receiveBytes(frame: Uint8Array): void {
    this.receiveFrame(frame);
  }

  receiveControl(opcode: ControlOpcode, data: Uint8Array): void {
    const { handleControl } = this.mount.definition;
    if (!handleControl || this.isEnded) return;
    const { id, assigns, connection } = this;
    const failed = (error: unknown): void => {
      this.end(CLOSE.internalError, { shutdown: "closed" });
      this.shared.logger.log("controlFailed", { connection: connection.id, err: error });
    };
    try {
      const seen = { id, assigns, transport: connection.transport };
      const result = handleControl(seen, { opcode, data: new Uint8Array(data) });
      if (isThenable(result)) promised(result).then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  end(code: number, reason: ExitReason): void {
    if (this.isEnded) return;
    if (code === CLOSE.restart) {
      for (const channel of this.allChannels()) channel.drain();
      // User code ran, and may have disconnected the socket.
      if (this.isEnded) return;
    }
    // Set first, because the transport calls `closed` from within `close`, with another reason.
    this.isEnded = true;
    this.shared.endings.run(
      () => this.connection.close(code, ""),
      () => this.ended(code, reason),
    );
  }

  closed(code: number, reason: ExitReason): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.shared.endings.run(undefined, () => this.ended(code, reason));
  }

  tooSlow(): number {
    const published = this.allChannels().filter(({ isPublished }) => isPublished);
    for (const channel of published) channel.tooSlow();
    return published.length;
  }

  private ended(code: number, reason: ExitReason): void {
    if (this.id !== null) this.shared.channels.pubsub.unsubscribe(this.id, this);
    this.shared.expiries.forget(this);
    reportDisconnected(this, code);
    for (const channel of this.allChannels()) {
      this.dropBacklog(channel);
      channel.connectionEnded(reason);
    }
  }

  private dropBacklog({ pending }: RoutedChannel): void {
    if (!pending) return;
    const { waiting } = this.shared.channels.callbacks;
    for (const { bytes } of pending.backlog.splice(0)) waiting.remove(this, bytes);
  }

  // -- frames ------------------------------------------------------------------------------------

  // Handles text, or bytes that are valid only during the call. A malformed frame closes the
  // connection.
  private receiveFrame(frame: string | Uint8Array): void {
    const { limiter } = this.mount;
    const { gate } = this.shared;
    if (limiter !== undefined && !gate.takesFrame(this, limiter, frame)) return;
    try {
      this.decodeAndTake(frame);
    } catch (error) {
      // Only a user-defined serializer can throw.
      this.failed(error);
    }
  }

  private decodeAndTake(frame: string | Uint8Array): void {
    const text = typeof frame === "string" ? frame : undefined;
    const head =
      text !== undefined && text.length > HEAD_FIRST_FROM
        ? this.serializer.decodeHead?.(text)
        : undefined;
    if (text !== undefined && head) {
      this.receiveByHead(text, head);
      return;
    }
    const message = this.decode(frame);
    if (!message || this.isRefused(message, frame)) return;
    this.take(message, text, frame.length, undefined);
  }

  /** Handles a long message. If its head suffices to refuse it, its payload is not parsed. */
  private receiveByHead(frame: string, head: Message): void {
    if (this.isRefused(head, frame)) return;
    const channel = this.limitedChannel(head);
    if (channel && this.isRefusedBy(channel, head, frame, frame.length)) return;
    const message = this.decode(frame);
    if (message) this.take(message, frame, frame.length, channel);
  }

  /** Returns the channel with limits to which a message would be delivered now. */
  private limitedChannel(head: Message): RoutedChannel | undefined {
    const { topic } = head;
    if (this.joining || typeof topic !== "string") return undefined;
    const channel = findChannel(this.channels, topic);
    if (channel?.limiter === undefined) return undefined;
    return actionOf(head, channel) === ACTION.deliver ? channel : undefined;
  }

  /** Applies the limits of a channel to a message, and answers it if it is refused. */
  private isRefusedBy(
    channel: RoutedChannel,
    message: Message,
    frame: string | undefined,
    bytes: number,
  ): boolean {
    const verdict = this.shared.gate.takeIn(this, channel, message, frame, bytes);
    if (verdict === PASS) return false;
    // Like every answer of a channel, it carries the join's ref, even if the message has no ref.
    this.refuse(verdict, message, message.joinRef ?? channel.joinRef);
    return true;
  }

  /** Decodes a frame. Returns undefined if it is malformed; the connection is then closed. */
  private decode(frame: string | Uint8Array): Message | undefined {
    const { maxJsonDepth } = this.shared.options;
    const message =
      typeof frame === "string"
        ? this.serializer.decode(frame, maxJsonDepth)
        : this.serializer.decodeBytes(frame, maxJsonDepth);
    if (!message) this.malformed();
    return message;
  }

  /** Applies the limits of the connection to a message, and answers it if it is refused. */
  private isRefused(message: Message, frame: string | Uint8Array): boolean {
    const { limiter } = this.mount;
    if (limiter !== undefined) {
      const verdict = this.shared.gate.takeMessage(this, limiter, message, frame);
      if (verdict !== PASS) {
        this.refuse(verdict, message, message.joinRef);
        return true;
      }
    }
    const reason = this.whyRefused(message, frame.length);
    if (reason === undefined) return false;
    if (message.ref !== null) this.reply(message.joinRef, message, STATUS.error, { reason });
    return true;
  }

  private whyRefused({ topic, event }: Message, length: number): string | undefined {
    const { takesMore, channels, options } = this.shared;
    if (isLonger(topic, options.maxTopicBytes)) return REASON.topicTooLong;
    if (isLonger(event, options.maxEventBytes)) return REASON.eventTooLong;
    // What handlers hold of messages is not in any queue that has a bound.
    if (length < LARGE_FROM || event === EVENT.join || takesMore()) return undefined;
    channels.counters.add(COUNTER.messagesOverloaded);
    return REASON.overloaded;
  }

  private malformed(): void {
    this.end(CLOSE.internalError, { shutdown: "closed" });
    this.shared.logger.log("malformedFrame", { connection: this.connection.id });
  }

  // User code is wrapped where it is called. Any other exception ends only this connection.
  private take(
    message: Message,
    frame: string | undefined,
    bytes: number,
    passed: RoutedChannel | undefined,
  ): void {
    try {
      if (!this.isEnded) this.dispatch(message, frame, bytes, passed);
    } catch (error) {
      this.failed(error);
    }
  }

  /** @param passed - the channel whose limits the message has passed already */
  private dispatch(
    message: Message,
    frame: string | undefined,
    bytes: number,
    passed: RoutedChannel | undefined,
  ): void {
    if (this.joining) {
      this.wait(this.joining, message, frame, bytes);
      return;
    }
    const { topic } = message;
    const channel = typeof topic === "string" ? findChannel(this.channels, topic) : undefined;
    const action = actionOf(message, channel);
    if (action === ACTION.deliver && channel) this.deliver(channel, message, frame, bytes, passed);
    else if (action === ACTION.wait && channel) this.wait(channel, message, frame, bytes);
    else if (action === ACTION.rejoin && channel) this.rejoin(channel, message);
    else if (action === ACTION.leave && channel) channel.leave(message);
    else this.dispatchUnjoined(action, message);
  }

  private dispatchUnjoined(action: Action, message: Message): void {
    switch (action) {
      case ACTION.heartbeat:
        this.reply(null, message, STATUS.ok, {});
        break;
      case ACTION.join:
        this.join(message);
        break;
      case ACTION.leaveNone:
        this.reply(message.joinRef, message, STATUS.ok, {});
        break;
      case ACTION.unmatched:
        this.unmatched(message);
        break;
      case ACTION.stale:
        break;
    }
  }

  private deliver(
    channel: RoutedChannel,
    message: Message,
    frame: string | undefined,
    bytes: number,
    passed: RoutedChannel | undefined,
  ): void {
    const isLimited = channel.limiter !== undefined && channel !== passed;
    if (isLimited && this.isRefusedBy(channel, message, frame, bytes)) return;
    channel.receiveIn(message, frame, bytes);
  }

  private wait(
    channel: RoutedChannel,
    message: Message,
    frame: string | undefined,
    bytes: number,
  ): void {
    channel.pending ??= { backlog: [], replaced: undefined };
    const { backlog } = channel.pending;
    if (backlog.length >= this.shared.options.maxMailbox) {
      this.end(CLOSE.internalError, { shutdown: "closed" });
    } else if (this.shared.channels.callbacks.waiting.add(this, bytes)) {
      const { keepsFrames } = this.mount.router;
      backlog.push({ message, frame: keepsFrames ? frame : undefined, bytes });
    } else this.waitTooMuch();
  }

  private unmatched(message: Message): void {
    const { topic, event } = message;
    this.reply(null, message, STATUS.error, { reason: REASON.unmatchedTopic });
    const { connection, id } = this;
    this.shared.logger.log("unmatchedTopic", { topic, event, connection: connection.id, id });
  }

  /** Answers a message that is over a rate limit, or closes the connection of a client that floods. */
  private refuse(verdict: Verdict, message: Message, joinRef: Ref): void {
    if (verdict === FLOOD) this.end(CLOSE.policyViolation, { shutdown: "closed" });
    // Without a ref, the client expects no answer.
    if (verdict <= PASS || message.ref === null) return;
    try {
      const response = { reason: REASON.rateLimited, retry_after: verdict };
      this.reply(joinRef, message, STATUS.error, response);
    } catch (error) {
      this.failed(error);
    }
  }

  // -- joins -------------------------------------------------------------------------------------

  private join(message: Message): void {
    const { topic } = message;
    const route = typeof topic === "string" && this.mount.router.match(topic);
    if (!route) this.unmatched(message);
    else if (this.mayJoin(route, message)) this.startJoin(topic, route, message, undefined);
  }

  private rejoin(channel: RoutedChannel, message: Message): void {
    const { topic, sentJoinRef } = channel;
    // A leave that was read before this join must be handled first.
    if (channel.isLeaving) channel.flush();
    if (findChannel(this.channels, topic) !== channel) {
      this.join(message);
      return;
    }
    const route = this.mount.router.match(topic);
    // A join that is over a limit changes nothing, so the current channel stays open.
    if (route && !this.mayJoin(route, message)) return;
    this.shared.logger.log("duplicateJoin", { topic, connection: this.connection.id, id: this.id });
    channel.kill();
    if (route) this.startJoin(topic, route, message, { joinRef: sentJoinRef });
  }

  private mayJoin({ channel: definition }: ChannelRoute, message: Message): boolean {
    if ("start" in definition) return true;
    const verdict = this.shared.gate.takeJoin(this, definition, message);
    if (verdict !== PASS) this.refuse(verdict, message, message.joinRef);
    return verdict === PASS;
  }

  private startJoin(
    topic: string,
    route: ChannelRoute,
    message: Message,
    replaced: { readonly joinRef: Ref } | undefined,
  ): void {
    const { takesMore, channels, logger } = this.shared;
    const { maxChannels } = this.mount;
    if (countChannels(this.channels) >= maxChannels) {
      this.reply(message.joinRef, message, STATUS.error, { reason: REASON.tooManyChannels });
      const { connection, id } = this;
      logger.log("tooManyChannels", { topic, connection: connection.id, id, max: maxChannels });
      return;
    }
    if (!takesMore()) {
      channels.counters.add(COUNTER.joinsOverloaded);
      this.reply(message.joinRef, message, STATUS.error, { reason: REASON.overloaded });
      if (replaced) this.sendClose(topic, replaced.joinRef);
      return;
    }
    const channel = this.makeChannel(topic, route, message);
    if (replaced) channel.pending = { backlog: [], replaced };
    if (this.isSerial) this.joining = channel;
    this.channels = withChannel(this.channels, channel);
    channel.join(message.ref, message.payload);
  }

  private makeChannel(
    topic: string,
    { channel: definition, assigns: own, options }: ChannelRoute,
    { joinRef, ref }: Message,
  ): RoutedChannel {
    const { channels } = this.shared;
    const assigns = own ? Object.freeze({ ...this.assigns, ...own }) : this.assigns;
    const join = { owner: this, topic, assigns, joinRef, ref };
    return "start" in definition
      ? new RawChannel(channels, definition, join, options)
      : new Channel(channels, definition, join);
  }

  // -- ChannelOwner: for its channels ------------------------------------------------------------

  channelGone(channel: RoutedChannel): void {
    this.channels = withoutChannel(this.channels, channel);
  }

  joinSettled(channel: RoutedChannel): void {
    if (this.joining === channel) this.joining = undefined;
    const { pending } = channel;
    if (pending) {
      channel.pending = undefined;
      if (pending.replaced) this.sendClose(channel.topic, pending.replaced.joinRef);
      // One of these may be a join that is answered later: the others then wait behind it.
      const { waiting } = this.shared.channels.callbacks;
      for (const { message, frame, bytes } of pending.backlog) {
        waiting.remove(this, bytes);
        this.take(message, frame, bytes, undefined);
      }
    }
    if (!this.joining) this.onIdle?.();
    this.connection.handled?.();
  }

  waitTooMuch(): void {
    this.shared.logger.log("waitingFull", { connection: this.connection.id });
    // Otherwise a client that reconnects could have more of them waiting each time.
    this.dropWaiting();
    this.end(CLOSE.policyViolation, { shutdown: "closed" });
  }

  dropWaiting(): void {
    for (const channel of this.allChannels()) {
      this.dropBacklog(channel);
      channel.dropWaiting();
    }
  }

  failed(error: unknown): void {
    this.end(CLOSE.internalError, { shutdown: "closed" });
    this.shared.logger.log("receiveFailed", { connection: this.connection.id, err: error });
  }

  get expiresAtMs(): number | undefined {
    return this.shared.expiries.get(this);
  }

  renew(assigns: unknown, until: Until): boolean {
    const expiresAtMs = expiryOf(until);
    const given = assignsOf(assigns);
    if (this.isEnded || this.mount.definition.id({ assigns: given }) !== this.id) return false;
    this.assigns = given;
    this.shared.expiries.set(this, expiresAtMs);
    return true;
  }

  // -- Expirable: for the book of expiries -------------------------------------------------------

  get expiringMs(): number {
    return this.mount.definition.expiringMs;
  }

  expiring(leftMs: number): void {
    this.connection.cork(() => {
      for (const channel of this.allChannels()) channel.expiring(leftMs);
    });
  }

  expired(lateMs: number): void {
    reportExpired(this, lateMs, this.mount.definition.log, this.shared.logger);
    this.end(CLOSE.expired, { shutdown: "expired" });
  }

  // -- Listener: for the topic of its id ---------------------------------------------------------

  get isOfId(): boolean {
    return true;
  }

  /** Only one event has a meaning on the topic of an id. */
  receive({ event }: { readonly event: string }): void {
    if (event === EVENT.disconnect) this.end(CLOSE.goingAway, { shutdown: "disconnected" });
  }

  /** A lost broadcast may have been a ban, so the client must connect again. */
  missed(): void {
    this.end(CLOSE.goingAway, { shutdown: "disconnected" });
  }

  // -- answers -----------------------------------------------------------------------------------

  private reply(joinRef: Ref, message: Message, status: string, response: object): void {
    const { connection, serializer } = this;
    const topicJson = JSON.stringify(message.topic);
    connection.send(serializer.reply(refJson(joinRef), message.ref, topicJson, status, response));
  }

  private sendClose(topic: string, joinRef: Ref): void {
    const { connection, serializer } = this;
    connection.send(serializer.end(refJson(joinRef), JSON.stringify(topic), EVENT.close, {}));
  }
}

function isJoined({ state }: RoutedChannel): boolean {
  return state === STATE.open || state === STATE.ending;
}

/** Reports whether a text has more than this many bytes in UTF-8. */
function isLonger(text: unknown, maxBytes: number): boolean {
  // A UTF-16 unit has at most 3 bytes.
  if (typeof text !== "string" || text.length * 3 <= maxBytes) return false;
  return text.length > maxBytes || Buffer.byteLength(text) > maxBytes;
}

function isHeld(channel: RoutedChannel): boolean {
  return channel.isHeld;
}
