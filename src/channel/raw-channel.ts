/**
 * One raw channel: as its user holds it, and as its socket's server does.
 *
 * What it does is the affair of its server (raw-channel-server); here is what it is. Fields below
 * the line are the server's: they are no part of RawChannel.
 *
 * Runs on: the shard that owns the connection.
 */

import { keptRefJson, type Frame } from "../protocol/serializer.ts";
import { nameOfJoin, type Ref } from "../protocol/message.ts";
import { REASON, STATUS } from "../protocol/reserved.ts";
import type { Broadcast } from "../pubsub/envelope.ts";
import type { Listener } from "../pubsub/registry.ts";
import { STATE, type ChannelState } from "./channel-state.ts";
import type { ShardContext } from "./context.ts";
import type { Until } from "../callbacks/expiry.ts";
import type { RawChannel, RawChannelDefinition, RawChannelHandlers } from "./raw-definition.ts";
import type { ExitReason } from "../callbacks/results.ts";
import type { ChannelOwner, ChannelRunner, PendingJoin, RoutedChannel } from "./routed-channel.ts";

/** What a raw channel asks of its server. */
export interface RawChannelRuntime extends ChannelRunner {
  readonly shard: number;
  readonly context: ShardContext;
  answer(channel: RawChannelEnd, status: "ok" | "error", payload: unknown): void;
  push(channel: RawChannelEnd, event: string, payload: unknown): void;
  reply(channel: RawChannelEnd, ref: Ref, status: string, payload: unknown): void;
  sendFrame(channel: RawChannelEnd, frame: Frame): void;
  closeGracefully(channel: RawChannelEnd): void;
  fail(channel: RawChannelEnd, reason: string): void;
  listen(channel: RawChannelEnd, topic: string): void;
  unlisten(channel: RawChannelEnd, topic: string): void;
  receiveBroadcast(channel: RawChannelEnd, broadcast: Broadcast): void;
  missed(channel: RawChannelEnd, topic: string): void;
}

/** What a new raw channel is made of. */
export interface RawChannelParts {
  readonly runtime: RawChannelRuntime;
  readonly owner: ChannelOwner;
  readonly definition: RawChannelDefinition;
  readonly topic: string;
  readonly assigns: object;
  readonly options: unknown;
  readonly joinRef: Ref;
  /** Ref of the join, which stands in for a join_ref that the client did not send. */
  readonly ref: Ref;
}

/** A raw channel. */
export class RawChannelEnd implements RawChannel, RoutedChannel, Listener {
  readonly topic: string;
  readonly assigns: object;
  readonly options: unknown;
  readonly sentJoinRef: Ref;

  // -- the server's ------------------------------------------------------------------------------
  readonly runtime: RawChannelRuntime;
  readonly owner: ChannelOwner;
  readonly definition: RawChannelDefinition;
  /** Ref of the join. */
  readonly ref: Ref;
  /** join_ref as it stands in what this channel sends. */
  readonly joinRefJson: string;
  readonly topicJson: string;
  readonly startedMs = performance.now();
  state: ChannelState = STATE.joining;
  /** What came with the join, until it is answered. */
  params: unknown = undefined;
  /** What the join was answered with. */
  answered: "ok" | "error" | undefined = undefined;
  /** True while `start` is on the stack. */
  isStarting = false;
  /** Why it has ended, where that was within `start`, which returns who is to be told. */
  startEnd: ExitReason | undefined = undefined;
  isLeaving = false;
  pending: PendingJoin | undefined = undefined;
  handlers: RawChannelHandlers | undefined = undefined;
  topics: Set<string> | undefined = undefined;

  constructor(parts: RawChannelParts) {
    this.topic = parts.topic;
    this.assigns = parts.assigns;
    this.options = parts.options;
    this.sentJoinRef = parts.joinRef;
    this.runtime = parts.runtime;
    this.owner = parts.owner;
    this.definition = parts.definition;
    this.ref = parts.ref;
    this.joinRefJson = keptRefJson(nameOfJoin(parts.joinRef, parts.ref));
    this.topicJson = JSON.stringify(parts.topic);
  }

  get joinRef(): Ref {
    return JSON.parse(this.joinRefJson) as Ref;
  }

  /** It has no lane: what is published to its topic it must listen to itself. */
  get isHeld(): boolean {
    return false;
  }

  /** Its messages are under the limits of its socket only. */
  get limiter(): undefined {
    return undefined;
  }

  get isPublished(): boolean {
    return false;
  }

  get id(): string | null {
    return this.owner.id;
  }

  get transport(): string {
    return this.owner.connection.transport;
  }

  get shard(): number {
    return this.runtime.shard;
  }

  get context(): ShardContext {
    return this.runtime.context;
  }

  get isOpen(): boolean {
    return this.state !== STATE.closed && this.answered === STATUS.ok;
  }

  accept(payload: unknown = {}): void {
    this.runtime.answer(this, STATUS.ok, payload);
  }

  refuse(payload: unknown = {}): void {
    this.runtime.answer(this, STATUS.error, payload);
  }

  push(event: string, payload: unknown = {}): void {
    this.runtime.push(this, event, payload);
  }

  reply({ ref }: { readonly ref: Ref }, status: string, payload?: unknown): void {
    this.runtime.reply(this, ref, status, payload);
  }

  sendFrame(frame: Frame): void {
    this.runtime.sendFrame(this, frame);
  }

  close(): void {
    this.runtime.closeGracefully(this);
  }

  fail(reason: string = REASON.channelCrash): void {
    this.runtime.fail(this, reason);
  }

  subscribe(topic: string): void {
    this.runtime.listen(this, topic);
  }

  unsubscribe(topic: string): void {
    this.runtime.unlisten(this, topic);
  }

  get expiresAtMs(): number | undefined {
    return this.owner.expiresAtMs;
  }

  renew(assigns: object, until: Until): boolean {
    return this.owner.renew(assigns, until);
  }

  receive(broadcast: Broadcast): void {
    this.runtime.receiveBroadcast(this, broadcast);
  }

  missed(topic: string): void {
    this.runtime.missed(this, topic);
  }
}
