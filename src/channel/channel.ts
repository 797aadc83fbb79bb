/**
 * One channel: a connection's membership of one topic, from its join to its end.
 *
 * A message for an idle channel is handled at once; while an asynchronous callback is awaited,
 * messages wait in its mailbox. Whatever user code does (throw, return an invalid value, never
 * settle, flood itself), it ends only its own channel. How a channel ends:
 *
 *   leave, stop   [reply,] phx_close, terminate     if the reason is graceful
 *   crash         terminate, phx_error              an exception, a bad result, any other reason
 *   close         terminate                         the connection ends
 *   kill          nothing                           a rejoin replaces the channel
 *
 * User callbacks receive the channel itself, typed as ChannelSocket, its public part.
 *
 * Runs on: the shard that owns the connection.
 * Owns: mailbox, timers, locals, tasks and further topics, each created when it is first needed.
 *       Methods are `private` for the compiler only, since a #method adds a field to each object.
 * Full: if the mailbox exceeds `maxMailbox`, or a callback exceeds `handlerTimeoutMs`, the channel
 *       crashes with a specific reason. A join that exceeds `joinTimeoutMs` is answered with an
 *       error, and its topic can be joined again.
 */

import { FAILED, type Callee } from "../callbacks/callbacks.ts";
import type { Until } from "../callbacks/expiry.ts";
import type { Mailbox } from "../callbacks/mailbox.ts";
import { isThenable } from "../callbacks/promises.ts";
import {
  badAnswer,
  isGraceful,
  joinResultOf,
  noHandler,
  stopReasonOf,
} from "../callbacks/results.ts";
import { Reply, Stop, type ExitReason } from "../callbacks/results.ts";
import { callLater, clearTimers, type TimerOwner } from "../callbacks/timers.ts";
import { hasCode, makeError } from "../errors.ts";
import type { Buckets } from "../limits/own-limits.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { nameOfJoin, type Message, type Ref } from "../protocol/message.ts";
import { EVENT, REASON, STATUS } from "../protocol/reserved.ts";
import { keptRefJson } from "../protocol/serializer.ts";
import type { TopicBroadcastOptions } from "../pubsub/broadcast-options.ts";
import type { Broadcast } from "../pubsub/envelope.ts";
import type { Listener, TopicEntry } from "../pubsub/registry.ts";
import { ChannelHistory, mayAsk, type HistoryOwner } from "./channel-history.ts";
import type { ChannelLetter, KeptLetter } from "./channel-letters.ts";
import {
  sendBroadcast,
  sendEnd,
  sendJoinAnswer,
  sendPush,
  sendReply,
  writtenFor,
  type SendingChannel,
} from "./channel-output.ts";
import { causeOf, wireReasonOf } from "./channel-reports.ts";
import type { ChannelSocket } from "./channel-socket.ts";
import { checkJoined, STATE, takeStep, type ChannelState } from "./channel-state.ts";
import type { ShardContext } from "./context.ts";
import type { ChannelDefinition } from "./definition.ts";
import { askingJoin, withoutOptional } from "./history-option.ts";
import type { Lane, Subscriber } from "./lane.ts";
import { LaterReply } from "./later-reply.ts";
import type { ChannelLimiter } from "./limits.ts";
import type { ChannelOwner, NewChannel, PendingJoin, RoutedChannel } from "./routed-channel.ts";
import type { InHandler } from "./schemas/in-handlers.ts";
import type { PayloadWriter } from "./schemas/payload-writer.ts";
import type { SendQueue } from "./send-queue.ts";
import type { ShardChannels } from "./shard-channels.ts";
import { RunningTasks } from "./tasks/running-tasks.ts";
import type { TaskOptions } from "./tasks/tasks.ts";
import type { Incoming } from "./verbatim.ts";

/** A channel. */
export class Channel
  implements
    ChannelSocket<object, unknown>,
    RoutedChannel,
    SendingChannel,
    Subscriber,
    Listener,
    Callee<ChannelLetter>,
    TimerOwner,
    HistoryOwner
{
  readonly topic: string;
  readonly sentJoinRef: Ref;
  assigns: object;
  ref: Ref = null;
  readonly shared: ShardChannels;
  readonly owner: ChannelOwner;
  readonly definition: ChannelDefinition;
  /** The join_ref as JSON, as it appears in all frames of this channel. */
  readonly joinRefJson: string;
  state: ChannelState = STATE.joining;
  /** The topic's entry and this channel's lane there, while the channel is subscribed. */
  entry: TopicEntry<Lane> | undefined = undefined;
  lane: Lane | undefined = undefined;
  laneAt = 0;
  queue: SendQueue | undefined = undefined;
  isRunning = false;
  isBusy = false;
  run = 0;
  busySince = 0;
  isScheduled = false;
  isOverfull = false;
  isLeaving = false;
  mailbox: Mailbox<ChannelLetter> | undefined = undefined;
  pending: PendingJoin | undefined = undefined;
  timers: Set<NodeJS.Timeout> | undefined = undefined;
  /** Additional topics that this channel has subscribed to. */
  topics: Set<string> | undefined = undefined;
  tasks: RunningTasks | undefined = undefined;
  /** State of the rate limits. Absent until a limit applies. */
  declare buckets?: Buckets;
  /** Absent unless the client asked for the history of the topic. */
  declare history?: ChannelHistory;
  /** Writer for replies to the event that is being handled. Absent until an event has a writer. */
  declare replyWriter?: PayloadWriter | undefined;
  #locals: unknown = undefined;

  constructor(shared: ShardChannels, definition: ChannelDefinition, join: NewChannel) {
    this.topic = join.topic;
    this.sentJoinRef = join.joinRef;
    this.assigns = join.assigns;
    this.shared = shared;
    this.owner = join.owner;
    this.definition = definition;
    this.joinRefJson = keptRefJson(nameOfJoin(join.joinRef, join.ref));
  }

  // -- ChannelSocket: for the user's callbacks ---------------------------------------------------

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

  get locals(): unknown {
    this.#locals ??= this.definition.locals();
    return this.#locals;
  }

  assign(changes: object | ((assigns: object) => object)): void {
    const given: object = typeof changes === "function" ? changes(this.assigns) : changes;
    this.assigns = Object.freeze({ ...this.assigns, ...given });
  }

  push(event: string, payload: unknown = {}): void {
    checkJoined(this, "push");
    const written = writtenFor(this, event, payload);
    if (this.state !== STATE.closed) sendPush(this, event, written);
  }

  broadcast(event: string, payload: unknown = {}, options?: TopicBroadcastOptions): void {
    checkJoined(this, "broadcast");
    sendBroadcast(this, event, payload, options, undefined);
  }

  broadcastFrom(event: string, payload: unknown = {}, options?: TopicBroadcastOptions): void {
    checkJoined(this, "broadcastFrom");
    sendBroadcast(this, event, payload, options, this);
  }

  replyLater(): LaterReply {
    checkJoined(this, "replyLater");
    if (this.ref === null || this.ref === undefined) {
      const message = "replyLater must be called while a message with a ref is handled";
      throw makeError("SIM_ERR_NO_REF", message);
    }
    const { owner, joinRefJson, ref, replyWriter } = this;
    owner.connection.repliesLater?.(this.topic, ref);
    return new LaterReply(owner, joinRefJson, JSON.stringify(this.topic), ref, replyWriter);
  }

  send(message: unknown): void {
    this.receiveInfo(message, 0);
  }

  sendAfter(delayMs: number, message: unknown): () => void {
    return callLater(this, delayMs, () => this.send(message));
  }

  subscribe(topic: string): void {
    if (this.state >= STATE.ending) return;
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

  async task(name: string, input?: unknown, options: TaskOptions = {}): Promise<unknown> {
    // The promise never settles, like the promises of tasks that are cancelled when the channel
    // ends.
    if (this.state === STATE.closed) return new Promise(() => {});
    this.tasks ??= new RunningTasks();
    return this.tasks.finish(this.shared.tasks.run(name, input, options));
  }

  // -- RoutedChannel: for the socket -------------------------------------------------------------

  get isHandling(): boolean {
    const isRunning = this.isRunning || this.isBusy || this.mailbox !== undefined;
    return isRunning || this.state === STATE.joining;
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

  join(ref: Ref, sent: unknown): void {
    const { definition, shared } = this;
    const { callbacks } = shared;
    callbacks.live.born();
    this.ref = ref;
    const startedMs = performance.now();
    const asking = mayAsk(this) ? askingJoin(sent) : undefined;
    if (asking && !asking.asked) {
      const refusal = { reason: REASON.invalidHistory };
      shared.reports.joined(this, STATUS.error, refusal, sent, startedMs);
      this.refuseJoin(refusal);
      return;
    }
    if (asking?.asked) this.history = new ChannelHistory(this, asking.asked);
    const payload = asking ? asking.payload : withoutOptional(sent);
    // Queued first in the mailbox, so that it runs before any message that is waiting for the
    // answer.
    if (definition.joined) callbacks.keepAlways(this, JOINED);
    const result = callbacks.run(this, EVENT.join, definition.join, payload);
    if (result === FAILED) return;
    const finish = (value: unknown): void => this.finishJoin(value, payload, startedMs);
    const failed = (error: unknown): void => this.failJoin(error);
    if (isThenable(result)) callbacks.await(this, result, finish, failed, this.joinTimeoutMs);
    else finish(result);
  }

  receiveIn(message: Message, frame: string | undefined, bytes: number): void {
    const { callbacks } = this.shared;
    const handler = this.definition.handleIn.get(message.event);
    const incoming = handler?.intake ? handler.intake(this, message, frame) : message;
    if (callbacks.isFree(this)) {
      this.handleIn(handler, incoming);
      callbacks.flush(this);
      return;
    }
    const { event, payload, ref } = incoming;
    callbacks.keep(this, { kind: "in", event, payload, ref, bytes });
  }

  leave({ ref }: Message): void {
    this.isLeaving = true;
    this.shared.callbacks.tell(this, { kind: "leave", ref });
  }

  flush(): void {
    this.shared.callbacks.flush(this);
  }

  dropWaiting(): void {
    this.shared.callbacks.dropWaiting(this);
  }

  /** Does nothing: the client is notified by the close of its connection. */
  drain(): void {}

  expiring(leftMs: number): void {
    this.shared.callbacks.tell(this, { kind: "expiring", leftMs });
  }

  connectionEnded(reason: ExitReason): void {
    this.shared.callbacks.tell(this, { kind: "close", reason });
  }

  kill(): void {
    if (this.state === STATE.closed) return;
    if (this.state === STATE.open) {
      this.shared.counters.add(COUNTER.channels, -1);
      this.shared.reports.ended(this, { shutdown: "duplicate_join" });
    }
    takeStep(this, "kill");
    this.owner.channelGone(this);
    this.ended();
  }

  tooSlow(): void {
    const message = "the client must read its broadcasts faster: more of them wait than allowed";
    this.crash(null, makeError("SIM_ERR_SLOW_CLIENT", message));
  }

  // -- Subscriber and Listener: for broadcasts ---------------------------------------------------

  receiveOut(event: string, payload: unknown, bytes: number): void {
    this.shared.callbacks.receive(this, { kind: "out", event, payload, bytes });
  }

  private receiveInfo(message: unknown, bytes: number): void {
    this.shared.callbacks.receive(this, { kind: "info", message, bytes });
  }

  /** Handles a broadcast to a topic that user code has subscribed to. */
  receive(broadcast: Broadcast, bytes: number): void {
    const { topic, event, payload } = broadcast;
    // A subscription to the channel's own topic acts as if every event were intercepted.
    if (topic === this.topic) this.receiveOut(event, payload, bytes);
    else this.receiveInfo(broadcast, bytes);
  }

  missed(): void {
    this.lose(makeError("SIM_ERR_LAPPED", "broadcasts of the topic were lost between threads"));
  }

  noForm(reason: string): void {
    this.lose(makeError("SIM_ERR_NO_FORM", reason));
  }

  receiveMissed(count: number): void {
    this.shared.reports.broadcastsMissed(this, count);
    this.shared.callbacks.tell(this, { kind: "leftOut", count });
  }

  // -- HistoryOwner: for its history -------------------------------------------------------------

  get joinTimeoutMs(): number {
    return this.definition.joinTimeoutMs ?? this.shared.options.joinTimeoutMs;
  }

  acceptJoin(payload: object): void {
    this.settleJoin(STATUS.ok, payload);
  }

  receiveLetter(letter: KeptLetter): void {
    this.shared.callbacks.receive(this, letter);
  }

  // -- Callee: for the runner of callbacks -------------------------------------------------------

  get takesAtOnce(): boolean {
    return this.state === STATE.open && !this.owner.isSerial;
  }

  get isWaiting(): boolean {
    return this.state === STATE.joining;
  }

  get takesLetters(): boolean {
    return this.state < STATE.ending;
  }

  get isOver(): boolean {
    return this.state === STATE.closed;
  }

  cork(work: () => void): void {
    this.owner.connection.cork(work);
  }

  emptied(): void {
    this.owner.connection.handled?.();
  }

  failed(event: unknown, error: unknown): void {
    if (this.state === STATE.joining) this.failJoin(error);
    else this.crash(event, error);
  }

  handle(letter: ChannelLetter): void {
    const { definition } = this;
    switch (letter.kind) {
      case "joined":
        this.call("joined", definition.joined, undefined);
        break;
      case "in":
        this.handleIn(definition.handleIn.get(letter.event), letter);
        break;
      case "out":
        this.handleOut(letter.event, letter.payload);
        break;
      case "kept":
        this.handleKept(letter.message);
        break;
      case "info":
        if (definition.handleInfo) this.call("handleInfo", definition.handleInfo, letter.message);
        else this.shared.reports.noHandleInfo(this, letter.message);
        break;
      case "expiring":
        this.call("expiring", definition.expiring, letter.leftMs);
        break;
      case "leftOut":
        this.call("missed", definition.missed, letter.count);
        break;
      case "lost":
        this.lose(letter.error);
        break;
      case "leave":
        sendReply(this, letter.ref, STATUS.ok, undefined);
        this.end({ shutdown: "left" });
        break;
      case "close":
        this.endWithConnection(letter.reason);
        break;
    }
  }

  // -- callbacks ---------------------------------------------------------------------------------

  private handleIn(handler: InHandler | undefined, { event, payload, ref }: Incoming): void {
    if (!handler) {
      this.crash(event, noHandler("handleIn", event));
      return;
    }
    const { callbacks, reports } = this.shared;
    const startedMs = reports.wantsHandled(this.definition) ? performance.now() : undefined;
    this.ref = ref;
    const result = callbacks.run(this, event, handler.handle, payload);
    if (result === FAILED) return;
    if (isThenable(result)) this.awaitIn(result, event, payload, startedMs);
    else this.finishIn(event, payload, result, startedMs);
  }

  // Separate from handleIn, so that synchronous messages create no closure.
  private awaitIn(
    promise: PromiseLike<unknown>,
    event: unknown,
    payload: unknown,
    startedMs: number | undefined,
  ): void {
    this.await(promise, event, (value) => this.finishIn(event, payload, value, startedMs));
  }

  private finishIn(
    event: unknown,
    payload: unknown,
    result: unknown,
    startedMs: number | undefined,
  ): void {
    const { ref } = this;
    this.ref = null;
    if (startedMs !== undefined) this.shared.reports.handled(this, event, payload, ref, startedMs);
    if (result === undefined || this.state !== STATE.open) return;
    let stopped: Stop | undefined;
    try {
      // A Proxy may throw at any of these.
      if (result instanceof Stop) stopped = new Stop(result.reason, result.reply);
      const answer = stopped ? stopped.reply : result;
      if (answer instanceof Reply) sendReply(this, ref, answer.status, answer.payload);
      else if (answer !== undefined) throw badAnswer(event, result);
    } catch (error) {
      this.crash(event, error);
      return;
    }
    if (stopped) this.stop(event, stopped.reason);
  }

  private handleOut(event: string, payload: unknown): void {
    const handler = this.definition.intercept.get(event);
    if (handler) this.call(event, handler, payload);
    else this.crash(event, noHandler("intercept", event));
  }

  private handleKept(message: KeptLetter["message"]): void {
    if ("isBinary" in message) {
      this.history?.sendNow(message);
      return;
    }
    const { event, payload, position } = message;
    // A channel gets such a message only if it intercepts the event.
    const handler = this.definition.intercept.get(event) as OutHandler;
    this.history?.handles(position);
    const result = this.shared.callbacks.run(this, event, handler, payload);
    if (result === FAILED) return;
    if (isThenable(result)) this.await(result, event, (value) => this.finishKept(event, value));
    else this.finishKept(event, result);
  }

  private finishKept(event: string, value: unknown): void {
    this.history?.handled();
    this.finishCall(event, value);
    this.history?.finished();
  }

  // Runs a callback that may return nothing or a stop.
  private call(
    name: string,
    callback: ((socket: object, argument: unknown) => unknown) | undefined,
    argument: unknown,
  ): void {
    if (!callback) return;
    const result = this.shared.callbacks.run(this, name, callback, argument);
    if (result === FAILED) return;
    if (isThenable(result)) this.await(result, name, (value) => this.finishCall(name, value));
    else this.finishCall(name, result);
  }

  private finishCall(name: string, result: unknown): void {
    if (result === undefined || this.state !== STATE.open) return;
    let reason: ExitReason;
    try {
      reason = stopReasonOf(name, result);
    } catch (error) {
      this.crash(name, error);
      return;
    }
    this.stop(name, reason);
  }

  private await(
    promise: PromiseLike<unknown>,
    event: unknown,
    finish: (value: unknown) => void,
  ): void {
    const { callbacks } = this.shared;
    const settled = (value: unknown): void => {
      finish(value);
      callbacks.flush(this);
      this.owner.connection.handled?.();
    };
    callbacks.await(this, promise, settled, (error) => this.crash(event, error));
  }

  // -- join --------------------------------------------------------------------------------------

  private finishJoin(result: unknown, params: unknown, startedMs: number): void {
    let decided: ReturnType<typeof joinResultOf>;
    try {
      decided = joinResultOf(result);
    } catch (error) {
      this.failJoin(error);
      return;
    }
    const { status, payload } = decided;
    const join = { params, startedMs };
    if (status === STATUS.error || !this.history) {
      this.settleJoin(status, payload, join);
      return;
    }
    this.shared.reports.joined(this, status, payload, params, startedMs);
    this.history.open(payload, startedMs);
  }

  /** @param join - the join, if it is not reported and its topic not subscribed to yet */
  private settleJoin(
    status: "ok" | "error",
    payload: unknown,
    join?: { readonly params: unknown; readonly startedMs: number },
  ): void {
    const { callbacks, reports, counters } = this.shared;
    try {
      // Subscribe before the answer is sent: the client must receive all broadcasts from then on.
      if (status === STATUS.ok && join) this.attach();
      sendJoinAnswer(this, status, payload);
    } catch (error) {
      // An answer that cannot be encoded counts as a crash of the join.
      this.failJoin(error);
      return;
    }
    if (join) reports.joined(this, status, payload, join.params, join.startedMs);
    if (status === STATUS.error) {
      takeStep(this, "refused");
      this.owner.channelGone(this);
      this.terminate("shutdown", () => this.ended());
    } else {
      takeStep(this, "joined");
      this.ref = null;
      counters.add(COUNTER.channels);
    }
    // The client must see the end of the channel that this one replaces before pushes from this
    // one.
    this.owner.joinSettled(this);
    if (this.owner.isSerial) callbacks.flushLater(this);
    else callbacks.flush(this);
  }

  failJoin(error: unknown): void {
    const isLate = hasCode(error, "SIM_ERR_JOIN_TIMEOUT");
    this.refuseJoin({ reason: isLate ? REASON.joinTimeout : REASON.joinCrashed });
    this.shared.reports.joinCrashed(this, EVENT.join, error);
  }

  /** Answers a join with an error, and ends the channel without its `terminate`. */
  private refuseJoin(response: object): void {
    try {
      sendJoinAnswer(this, STATUS.error, response);
    } catch (failure) {
      this.owner.failed(failure);
    }
    this.owner.channelGone(this);
    this.ended();
    this.owner.joinSettled(this);
  }

  private attach(): void {
    const { pubsub, fastlane } = this.shared;
    this.entry = pubsub.acquire(this.topic);
    pubsub.kept?.learnHead(this.entry);
    fastlane.join(this.entry, this);
  }

  private detach(): void {
    const { entry } = this;
    if (!entry) return;
    this.entry = undefined;
    this.history?.end();
    this.shared.fastlane.leave(entry, this);
    this.shared.pubsub.release(entry);
  }

  // -- ends --------------------------------------------------------------------------------------

  private stop(event: unknown, reason: ExitReason): void {
    if (isGraceful(reason)) this.end(reason);
    else this.crash(event, reason);
  }

  /** Ends the channel gracefully: the client is notified, and does not rejoin. */
  private end(reason: ExitReason): void {
    this.beginEnd();
    sendEnd(this, EVENT.close, {});
    this.owner.channelGone(this);
    this.terminate(reason, () => this.ended());
    this.shared.reports.ended(this, reason);
  }

  /** Ends the channel because its connection has ended; sends nothing to the client. */
  private endWithConnection(reason: ExitReason): void {
    this.beginEnd();
    this.owner.channelGone(this);
    this.terminate(reason, () => this.ended());
    this.shared.reports.ended(this, reason);
  }

  /** Ends the channel after an error: the client gets the reason, and rejoins. */
  private crash(event: unknown, cause: unknown): void {
    if (this.state !== STATE.open) return;
    const { reports, callbacks } = this.shared;
    this.ref = null;
    // Without an event, no callback has failed.
    if (event !== null) this.history?.crashed();
    reports.crashed(this, event, cause);
    callbacks.forget(this);
    this.beginEnd();
    const reason = typeof cause === "string" ? cause : causeOf(cause);
    this.terminate(reason, () => {
      sendEnd(this, EVENT.error, { reason: wireReasonOf(cause) });
      this.owner.channelGone(this);
      this.ended();
    });
    reports.ended(this, reason);
  }

  // Handles lost broadcasts. Handling is deferred until the join is answered (`join` may have
  // subscribed to the topic) or until the running callback ends (it may have sent a broadcast that
  // its own channel cannot receive).
  private lose(error: Error): void {
    const isLater = this.state === STATE.joining || this.isRunning;
    if (isLater) this.shared.callbacks.keepAlways(this, { kind: "lost", error });
    else this.crash(null, error);
  }

  private beginEnd(): void {
    takeStep(this, "end");
    this.shared.counters.add(COUNTER.channels, -1);
  }

  private terminate(reason: ExitReason, done: () => void): void {
    const { callbacks, reports } = this.shared;
    // What waits is no longer handled, and `terminate` may take long.
    callbacks.dropMailbox(this);
    const failed = (error: unknown): void => {
      reports.terminateFailed(this, error);
      done();
    };
    const isAwaited = callbacks.terminate(this, this.definition.terminate, reason, done, failed);
    // In the meantime the connection may rejoin the topic, and must not be subscribed twice.
    if (isAwaited) this.detach();
  }

  /**
   * Releases all remaining resources, however the channel ended. Nothing more is sent to the
   * client.
   */
  private ended(): void {
    const { callbacks, pubsub, onEnded } = this.shared;
    if (this.state === STATE.ending) takeStep(this, "ended");
    else if (this.state === STATE.joining) takeStep(this, "refused");
    callbacks.forget(this);
    this.detach();
    callbacks.dropMailbox(this);
    clearTimers(this);
    for (const topic of this.topics ?? []) pubsub.unsubscribe(topic, this);
    this.topics = undefined;
    this.tasks?.cancel();
    this.tasks = undefined;
    callbacks.live.gone();
    // Last, since it calls user code, which main may have to end.
    onEnded(this);
  }
}

type OutHandler = (socket: object, payload: unknown) => unknown;

const JOINED: ChannelLetter = { kind: "joined" };
