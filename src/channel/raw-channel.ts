/**
 * One raw channel: a connection's membership of one topic, handled by the user's own code.
 *
 *   joining --accept--> open --close, fail, crash, end of the connection, rejoin--> closed
 *      +--refuse, crash, join timeout, end of the connection------------------------> closed
 *
 * There is no mailbox: user code decides in which order it handles messages, and how many may wait.
 * The channel ensures that the client sees frames in Phoenix's order (the answer to the join first,
 * and only one end), and that an error in user code ends only its own channel.
 *
 * Runs on: the shard that owns the connection. Methods are `private` for the compiler only, since a
 *       #method adds a field to each object.
 * Full: a join that is not answered within `joinTimeoutMs` is answered with `join timeout`. An `end`
 *       that does not settle within `handlerTimeoutMs` is no longer waited for.
 */

import type { Runner } from "../callbacks/callbacks.ts";
import type { Until } from "../callbacks/expiry.ts";
import { ignoreOutcome, isThenable, settledInTime, promised } from "../callbacks/promises.ts";
import { badResult, type ExitReason } from "../callbacks/results.ts";
import { makeError } from "../errors.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { checkEvent } from "../protocol/broadcast-encoder.ts";
import { nameOfJoin, type Message, type Ref } from "../protocol/message.ts";
import { EVENT, REASON, STATUS } from "../protocol/reserved.ts";
import { keptRefJson, refJson, type Frame } from "../protocol/serializer.ts";
import type { Broadcast } from "../pubsub/envelope.ts";
import type { Listener } from "../pubsub/registry.ts";
import { causeOf } from "./channel-reports.ts";
import { STATE, takeStep, type ChannelState } from "./channel-state.ts";
import type { ShardContext } from "./context.ts";
import { withoutOptional } from "./history-option.ts";
import { areHandlers, type RawChannelDefinition } from "./raw-definition.ts";
import type { RawChannelHandle, RawChannelHandlers } from "./raw-definition.ts";
import type { ChannelOwner, NewChannel, PendingJoin, RoutedChannel } from "./routed-channel.ts";
import type { OpenJoin, ShardChannels } from "./shard-channels.ts";

/** Handlers that are called with one argument and whose result is ignored. */
type HandlerName = Exclude<keyof RawChannelHandlers, "end">;

/** A raw channel. */
export class RawChannel implements RawChannelHandle, RoutedChannel, Listener, OpenJoin, Runner {
  readonly topic: string;
  readonly assigns: object;
  /** `options` of its route. */
  readonly options: unknown;
  readonly sentJoinRef: Ref;
  readonly shared: ShardChannels;
  readonly owner: ChannelOwner;
  readonly definition: RawChannelDefinition;
  /** Ref of the join. */
  readonly ref: Ref;
  /** The join_ref as JSON, as it appears in all frames of this channel. */
  readonly joinRefJson: string;
  readonly topicJson: string;
  readonly startedMs = performance.now();
  state: ChannelState = STATE.joining;
  /** Payload of the join, until it is answered. */
  params: unknown = undefined;
  /** Status that the join was answered with. */
  answered: "ok" | "error" | undefined = undefined;
  /** True while `start` is on the stack. */
  isStarting = false;
  /** The reason if the channel ended during `start`, before its handlers were known. */
  startEnd: ExitReason | undefined = undefined;
  isRunning = false;
  isLeaving = false;
  pending: PendingJoin | undefined = undefined;
  handlers: RawChannelHandlers | undefined = undefined;
  /** Topics that this channel has subscribed to. */
  topics: Set<string> | undefined = undefined;

  constructor(
    shared: ShardChannels,
    definition: RawChannelDefinition,
    join: NewChannel,
    options: unknown,
  ) {
    this.topic = join.topic;
    this.assigns = join.assigns;
    this.options = options;
    this.sentJoinRef = join.joinRef;
    this.shared = shared;
    this.owner = join.owner;
    this.definition = definition;
    this.ref = join.ref;
    this.joinRefJson = keptRefJson(nameOfJoin(join.joinRef, join.ref));
    this.topicJson = JSON.stringify(join.topic);
  }

  // -- RawChannelHandle: for the user's code -----------------------------------------------------

  get id(): string | null {
    return this.owner.id;
  }

  get joinRef(): Ref {
    return JSON.parse(this.joinRefJson) as Ref;
  }

  get transport(): string {
    return this.owner.connection.transport;
  }

  get shard(): number {
    return this.shared.shard;
  }

  get context(): ShardContext {
    return this.shared.context;
  }

  get isOpen(): boolean {
    return this.state !== STATE.closed && this.answered === STATUS.ok;
  }

  accept(payload: unknown = {}): void {
    this.answer(STATUS.ok, payload);
  }

  refuse(payload: unknown = {}): void {
    this.answer(STATUS.error, payload);
  }

  push(event: string, payload: unknown = {}): void {
    if (!this.maySend("push")) return;
    checkEvent(event);
    const { connection, serializer } = this.owner;
    connection.send(serializer.push(this.joinRefJson, this.topicJson, event, payload));
  }

  reply({ ref }: { readonly ref: Ref }, status: string, payload?: unknown): void {
    if (!this.maySend("reply")) return;
    const { connection, serializer } = this.owner;
    connection.send(serializer.reply(this.joinRefJson, ref, this.topicJson, status, payload));
  }

  sendFrame(frame: Frame): void {
    if (this.maySend("sendFrame")) this.owner.connection.send(frame);
  }

  close(): void {
    if (!this.maySend("close")) return;
    this.sendEnd(EVENT.close, {});
    this.over("normal");
  }

  fail(reason: string = REASON.channelCrash): void {
    if (!this.maySend("fail")) return;
    this.sendEnd(EVENT.error, { reason });
    this.over(reason);
  }

  subscribe(topic: string): void {
    if (this.state === STATE.closed) return;
    this.topics ??= new Set();
    this.topics.add(topic);
    this.shared.pubsub.subscribe(topic, this);
  }

  unsubscribe(topic: string): void {
    if (this.topics?.delete(topic)) this.shared.pubsub.unsubscribe(topic, this);
  }

  get expiresAtMs(): number | undefined {
    return this.owner.expiresAtMs;
  }

  renew(assigns: object, until: Until): boolean {
    return this.owner.renew(assigns, until);
  }

  // -- RoutedChannel: for the socket -------------------------------------------------------------

  /** Whether its join is not answered: what its code still does with a message, only that code knows. */
  get isHandling(): boolean {
    return this.state === STATE.joining;
  }

  /**
   * Always false, because a raw channel is on no lane. It subscribes to its topic explicitly if it
   * needs the broadcasts.
   */
  get isHeld(): boolean {
    return false;
  }

  get isPublished(): boolean {
    return false;
  }

  /** Undefined, because only the socket's limits apply to the messages of a raw channel. */
  get limiter(): undefined {
    return undefined;
  }

  join(_ref: Ref, sent: unknown): void {
    this.shared.callbacks.live.born();
    const payload = withoutOptional(sent);
    this.shared.openJoins.add(this);
    this.params = payload;
    this.isStarting = true;
    const { callbacks } = this.shared;
    const since = callbacks.enter(this, EVENT.join, undefined);
    try {
      this.takeHandlers(this.definition.start(this, payload));
    } catch (error) {
      this.crash(EVENT.join, error);
    } finally {
      callbacks.leave(this, EVENT.join, since);
    }
    this.isStarting = false;
    if (this.startEnd !== undefined) {
      void this.runEnd(this.startEnd);
      this.owner.joinSettled(this);
    } else if (this.answered === STATUS.ok) this.opened();
    else if (this.answered === STATUS.error) this.refused();
  }

  get joinTimeoutMs(): number {
    return this.definition.joinTimeoutMs ?? this.shared.options.joinTimeoutMs;
  }

  timedOut(): void {
    const message = `a join must be answered within ${this.joinTimeoutMs} (ms)`;
    this.failJoin(makeError("SIM_ERR_JOIN_TIMEOUT", message), REASON.joinTimeout);
  }

  receiveIn(message: Message): void {
    this.call(message.event, "receive", message);
  }

  leave(message: Message): void {
    this.isLeaving = true;
    this.receiveIn(message);
  }

  /** Does nothing: each message is handled as soon as it is read. */
  flush(): void {}

  dropWaiting(): void {}

  tooSlow(): void {}

  drain(): void {
    if (this.isOpen) this.call("drain", "drain", undefined);
  }

  expiring(leftMs: number): void {
    if (this.isOpen) this.call("expiring", "expiring", leftMs);
  }

  connectionEnded(reason: ExitReason): void {
    this.over(reason);
  }

  kill(): void {
    this.over({ shutdown: "duplicate_join" });
  }

  // -- Listener: for broadcasts ------------------------------------------------------------------

  receive(broadcast: Broadcast): void {
    this.call(broadcast.event, "broadcast", broadcast);
  }

  missed(topic: string): void {
    if (this.handlers?.missed) this.call("missed", "missed", topic);
    else if (this.answered === STATUS.ok) {
      this.fail(REASON.missed);
      this.shared.reports.crashed(this, null, missedError(topic));
    }
    // Before the join is answered, a loss makes the join fail.
    else this.failJoin(missedError(topic), REASON.joinCrashed);
  }

  // -- Runner: for the runner of callbacks, which watches it -------------------------------------

  /** Main has ended a callback. */
  failed(event: unknown, error: unknown): void {
    this.isStarting = false;
    this.crash(event, error);
  }

  // -- callbacks ---------------------------------------------------------------------------------

  private takeHandlers(handlers: unknown): void {
    if (areHandlers(handlers)) {
      this.handlers = handlers;
      return;
    }
    if (handlers === undefined && this.answered === STATUS.error) return;
    ignoreOutcome(handlers);
    const allowed = "{ receive, … } synchronously, or nothing after it has refused";
    throw badResult("start", allowed, handlers);
  }

  private call(event: unknown, name: HandlerName, argument: unknown): void {
    const { handlers } = this;
    const { callbacks } = this.shared;
    const noted = typeof event === "string" ? event : name;
    const since = callbacks.enter(this, noted, undefined);
    let result: unknown;
    try {
      const handler = handlers?.[name] as ((argument: unknown) => unknown) | undefined;
      result = handler?.call(handlers, argument);
    } catch (error) {
      callbacks.leave(this, noted, since);
      this.crash(event, error);
      return;
    }
    callbacks.leave(this, noted, since);
    if (!isThenable(result)) return;
    promised(result).then(undefined, (error: unknown) => this.crash(event, error));
  }

  private async runEnd(reason: ExitReason): Promise<void> {
    const { callbacks, options, reports } = this.shared;
    const { handlers } = this;
    this.handlers = undefined;
    try {
      const result = callbacks.isAbandoned ? undefined : this.callEnd(handlers, reason);
      if (isThenable(result)) await settledInTime(result, options.handlerTimeoutMs);
    } catch (error) {
      reports.terminateFailed(this, error);
    }
    callbacks.live.gone();
  }

  private callEnd(handlers: RawChannelHandlers | undefined, reason: ExitReason): unknown {
    const { callbacks, reports } = this.shared;
    const since = callbacks.enter(this, "end", (error) => {
      reports.terminateFailed(this, error);
      callbacks.live.gone();
    });
    try {
      return handlers?.end?.(reason);
    } finally {
      callbacks.leave(this, "end", since);
    }
  }

  // -- join --------------------------------------------------------------------------------------

  private answer(status: "ok" | "error", payload: unknown): void {
    if (this.state === STATE.closed) return;
    if (this.answered !== undefined) {
      throw makeError("SIM_ERR_JOIN_ANSWERED", "a join must be answered once, got a second answer");
    }
    this.sendAnswer(status, payload);
    this.shared.reports.joined(this, status, payload, this.params, this.startedMs);
    this.params = undefined;
    if (!this.isStarting) {
      if (status === STATUS.ok) this.opened();
      else this.refused();
    } else if (status === STATUS.ok) {
      // Called now, so that the end of a channel that this one replaces is sent before pushes from
      // this one.
      this.owner.joinSettled(this);
    }
  }

  private opened(): void {
    takeStep(this, "joined");
    this.shared.counters.add(COUNTER.channels);
    this.owner.joinSettled(this);
  }

  private refused(): void {
    this.over("shutdown");
    this.owner.joinSettled(this);
  }

  private failJoin(error: unknown, reason: string): void {
    if (this.answered === undefined) this.tell(() => this.sendAnswer(STATUS.error, { reason }));
    this.over(causeOf(error));
    this.owner.joinSettled(this);
    this.shared.reports.joinCrashed(this, EVENT.join, error);
  }

  // -- ends --------------------------------------------------------------------------------------

  private crash(event: unknown, error: unknown): void {
    if (this.state === STATE.closed) return;
    if (this.answered !== STATUS.ok) {
      this.failJoin(error, REASON.joinCrashed);
      return;
    }
    this.sendEnd(EVENT.error, { reason: REASON.channelCrash });
    this.over(causeOf(error));
    this.shared.reports.crashed(this, event, error);
  }

  private over(reason: ExitReason): void {
    if (this.state === STATE.closed) return;
    const { counters, reports, openJoins, pubsub } = this.shared;
    if (this.state === STATE.open) {
      counters.add(COUNTER.channels, -1);
      reports.ended(this, reason);
    }
    takeStep(this, "kill");
    openJoins.delete(this);
    this.owner.channelGone(this);
    for (const topic of this.topics ?? []) pubsub.unsubscribe(topic, this);
    this.topics = undefined;
    if (this.isStarting) this.startEnd = reason;
    else void this.runEnd(reason);
  }

  // -- frames ------------------------------------------------------------------------------------

  private maySend(name: string): boolean {
    if (this.state === STATE.closed) return false;
    if (this.answered === STATUS.ok) return true;
    throw makeError("SIM_ERR_NOT_JOINED", `${name} must be called after the join was accepted`);
  }

  // Uses the join_ref as sent by the client. In later frames the join's ref replaces a missing one.
  private sendAnswer(status: "ok" | "error", payload: unknown): void {
    const { connection, serializer } = this.owner;
    const joinRef = refJson(this.sentJoinRef);
    const frame = serializer.reply(joinRef, this.ref, this.topicJson, status, payload);
    this.answered = status;
    this.shared.openJoins.delete(this);
    connection.send(frame);
  }

  private sendEnd(event: string, payload: object): void {
    const { connection, serializer } = this.owner;
    const joinRef = refJson(this.sentJoinRef);
    this.tell(() => connection.send(serializer.end(joinRef, this.topicJson, event, payload)));
  }

  // If a custom serializer throws, the client cannot be notified, so its connection is closed.
  private tell(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.owner.failed(error);
    }
  }
}

/** Creates the error for lost broadcasts of a topic that raw user code has subscribed to. */
export function missedError(topic: string): Error {
  const message = `broadcasts of ${JSON.stringify(topic)} were lost between threads`;
  return makeError("SIM_ERR_LAPPED", message);
}
