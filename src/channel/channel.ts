/**
 * One channel: a connection's membership of one topic, as the user's callbacks see it.
 *
 * What a channel does is the runtime's affair (channel-server); here is what it is. Fields below
 * the line are the runtime's: they are no part of ChannelSocket, and callbacks never see them.
 *
 * Runs on: the shard that owns the connection.
 * Owns: nothing before it is used: mailbox, timers, locals, tasks and further topics are made on demand.
 */

import type { Buckets } from "../limits/own-limits.ts";
import { keptRefJson } from "../protocol/serializer.ts";
import { nameOfJoin, type Ref } from "../protocol/message.ts";
import type { Broadcast } from "../pubsub/envelope.ts";
import type { Listener, TopicEntry } from "../pubsub/registry.ts";
import { STATE, type ChannelState } from "./channel-state.ts";
import type { ShardContext } from "./context.ts";
import type { ChannelSocket } from "./channel-socket.ts";
import type { ChannelDefinition } from "./definition.ts";
import type { Until } from "../callbacks/expiry.ts";
import type { Lane } from "./lane.ts";
import type { ChannelLimiter } from "./limits.ts";
import type { Mailbox } from "../callbacks/mailbox.ts";
import type { ChannelOwner, ChannelRunner, PendingJoin, RoutedChannel } from "./routed-channel.ts";
import type { PayloadWriter } from "./schemas/payload-writer.ts";
import type { SendQueue } from "./send-queue.ts";
import type { Task, TaskOptions } from "./tasks/tasks.ts";

/** What a channel's own methods ask of the runtime. */
export interface ChannelRuntime extends ChannelRunner {
  readonly shard: number;
  readonly context: ShardContext;
  push(channel: Channel, event: string, payload: unknown): void;
  broadcast(channel: Channel, event: string, payload: unknown, from: Channel | undefined): void;
  receiveInfo(channel: Channel, message: unknown): void;
  receiveOut(channel: Channel, event: string, payload: unknown): void;
  receiveAfter(channel: Channel, delayMs: number, message: unknown): () => void;
  listen(channel: Channel, topic: string): void;
  unlisten(channel: Channel, topic: string): void;
  /** @param why - why one could not be written; without it, some were lost between threads */
  missed(channel: Channel, why?: string): void;
  /** Called for each broadcast that gave way to later ones, as the client does not take them. */
  readonly onLeftOut: () => void;
  /** So many gave way before the client took the others, or the channel ended. */
  receiveMissed(channel: Channel, count: number): void;
  readonly tasks: {
    run(channel: Channel, name: string, input: unknown, options: TaskOptions): Promise<unknown>;
  };
}

/** What a new channel is made of. */
export interface ChannelParts {
  readonly runtime: ChannelRuntime;
  readonly owner: ChannelOwner;
  readonly definition: ChannelDefinition;
  readonly topic: string;
  readonly assigns: object;
  readonly joinRef: Ref;
  /** Ref of the join, which stands in for a join_ref that the client did not send. */
  readonly ref: Ref;
}

/** A channel. */
export class Channel implements ChannelSocket<object, unknown>, Listener, RoutedChannel {
  readonly topic: string;
  readonly sentJoinRef: Ref;
  assigns: object;
  ref: Ref = null;

  // -- the runtime's -----------------------------------------------------------------------------
  readonly runtime: ChannelRuntime;
  readonly owner: ChannelOwner;
  readonly definition: ChannelDefinition;
  /** join_ref as it stands in what this channel sends. */
  readonly joinRefJson: string;
  state: ChannelState = STATE.joining;
  /** The topic's entry and the lane there, from joined to detached. */
  entry: TopicEntry<Lane> | undefined = undefined;
  lane: Lane | undefined = undefined;
  laneAt = 0;
  /** Broadcasts that wait for room, on a lane with queues. */
  queue: SendQueue | undefined = undefined;
  /** True while a synchronous callback is on the stack. */
  isRunning = false;
  /** True while an asynchronous callback has not settled. */
  isBusy = false;
  /** Number of the asynchronous callback that is awaited; what settles under another is ignored. */
  run = 0;
  busySince = 0;
  isScheduled = false;
  /** True where the callback on the stack has filled the mailbox. */
  isOverfull = false;
  /** True from the client's leave on. */
  isLeaving = false;
  mailbox: Mailbox | undefined = undefined;
  /** While the join is not answered: what came for the topic, and whose place this one takes. */
  pending: PendingJoin | undefined = undefined;
  timers: Set<NodeJS.Timeout> | undefined = undefined;
  topics: Set<string> | undefined = undefined;
  /** Tasks that are not done. */
  tasks: Set<Task> | undefined = undefined;
  /** What rate limits keep. Before they concern it there is not even the field. */
  declare buckets?: Buckets;
  /** What writes the replies of the event that is handled. As with `buckets`. */
  declare replyWriter?: PayloadWriter | undefined;
  #locals: unknown = undefined;

  constructor(parts: ChannelParts) {
    this.topic = parts.topic;
    this.sentJoinRef = parts.joinRef;
    this.assigns = parts.assigns;
    this.runtime = parts.runtime;
    this.owner = parts.owner;
    this.definition = parts.definition;
    this.joinRefJson = keptRefJson(nameOfJoin(parts.joinRef, parts.ref));
  }

  get joinRef(): Ref {
    return JSON.parse(this.joinRefJson) as Ref;
  }

  get isOver(): boolean {
    return this.state === STATE.closed;
  }

  get isHeld(): boolean {
    return this.lane !== undefined && this.lane.isHeld;
  }

  get isPublished(): boolean {
    return this.lane?.kind.isNative === true;
  }

  get limiter(): ChannelLimiter | undefined {
    return this.definition.limiter;
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

  get locals(): unknown {
    this.#locals ??= this.definition.locals();
    return this.#locals;
  }

  assign(changes: object | ((assigns: object) => object)): void {
    const given: object = typeof changes === "function" ? changes(this.assigns) : changes;
    this.assigns = Object.freeze({ ...this.assigns, ...given });
  }

  push(event: string, payload?: unknown): void {
    this.runtime.push(this, event, payload);
  }

  broadcast(event: string, payload?: unknown): void {
    this.runtime.broadcast(this, event, payload, undefined);
  }

  broadcastFrom(event: string, payload?: unknown): void {
    this.runtime.broadcast(this, event, payload, this);
  }

  send(message: unknown): void {
    this.runtime.receiveInfo(this, message);
  }

  sendAfter(delayMs: number, message: unknown): () => void {
    return this.runtime.receiveAfter(this, delayMs, message);
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

  async task(name: string, input?: unknown, options: TaskOptions = {}): Promise<unknown> {
    return this.runtime.tasks.run(this, name, input, options);
  }

  /** Takes a broadcast of a topic that it subscribed to in code. */
  receive(broadcast: Broadcast): void {
    // Its own topic, subscribed to once more, is as if every event were intercepted (WIRE §5.5).
    if (broadcast.topic === this.topic) {
      this.runtime.receiveOut(this, broadcast.event, broadcast.payload);
    } else {
      this.runtime.receiveInfo(this, broadcast);
    }
  }

  /** Is told that it missed broadcasts: as with its own topic, the client must join anew. */
  missed(): void {
    this.runtime.missed(this);
  }
}
