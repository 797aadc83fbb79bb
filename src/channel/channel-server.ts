/**
 * Runs channels: one callback at a time for each, and messages in order.
 *
 * A message whose channel is idle is handled at once; a synchronous handler costs no promise.
 * While an asynchronous one is awaited, messages wait in the mailbox. Whatever user code does
 * (throw, return nonsense, never settle, flood itself) ends its own channel and nothing else.
 * How it ends stands in channel-lives.
 *
 * Runs on: shard; one for all its channels.
 * Full: a mailbox beyond `maxMailbox`, a callback beyond `handlerTimeoutMs`: the channel crashes
 *       with a reason of its own. A join beyond `joinTimeoutMs` is answered with error, and its
 *       topic is free.
 */

import { hasCode, makeError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import type { BroadcastEncoder } from "../protocol/broadcast-encoder.ts";
import type { Message, Ref } from "../protocol/message.ts";
import { EVENT, REASON, STATUS } from "../protocol/reserved.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import { AsyncCalls, ignoreOutcome, isThenable } from "../callbacks/calls.ts";
import type { Channel, ChannelRuntime } from "./channel.ts";
import { ChannelLives } from "./channel-lives.ts";
import { ChannelOutput } from "./channel-output.ts";
import { ChannelReports } from "./channel-reports.ts";
import { STATE } from "./channel-state.ts";
import { ChannelTasks } from "./tasks/channel-tasks.ts";
import { callLater } from "../callbacks/timers.ts";
import type { ShardContext } from "./context.ts";
import type { Fastlane } from "./fastlane.ts";
import type { InHandler } from "./schemas/in-handlers.ts";
import type { Lane } from "./lane.ts";
import { Mailbox, mailboxFull, type Letter } from "../callbacks/mailbox.ts";
import { missedError } from "./missed-error.ts";
import { badAnswer, badResult, isGraceful, noHandler } from "../callbacks/results.ts";
import { Reply, Stop, type ExitReason } from "../callbacks/results.ts";
import type { Tasks } from "./tasks/tasks.ts";
import { TurnQueue } from "../callbacks/turn-queue.ts";
import type { Incoming } from "./verbatim.ts";

/** What a ChannelServer is made of. */
export interface ChannelServerParts {
  readonly shard: number;
  readonly context: ShardContext;
  readonly pubsub: PubSub<Lane>;
  readonly fastlane: Fastlane;
  readonly encoder: BroadcastEncoder;
  readonly tasks: Tasks;
  readonly logger: Logger;
  readonly maxMailbox: number;
  readonly handlerTimeoutMs: number;
  readonly joinTimeoutMs: number;
  /** Called with +1 and -1 as channels are joined and end. */
  readonly onCount: (change: number) => void;
  /** Called for each broadcast that a channel's queue left out. */
  readonly onLeftOut: () => void;
  /** Called with each channel that has ended: nothing reaches its client any more. */
  readonly onClosed: (channel: Channel) => void;
}

/** Letters of one channel that are handled before others get their turn. */
const LETTERS_PER_TURN = 128;

/** The runtime of a shard's channels. */
export class ChannelServer implements ChannelRuntime {
  readonly shard: number;
  readonly context: ShardContext;
  readonly tasks: ChannelTasks;
  readonly #pubsub: PubSub<Lane>;
  readonly #maxMailbox: number;
  readonly #joinTimeoutMs: number;
  readonly onLeftOut: () => void;
  readonly #calls: AsyncCalls;
  readonly #reports: ChannelReports;
  readonly #output: ChannelOutput;
  readonly #lives: ChannelLives;
  readonly #turns = new TurnQueue((channel) => this.#runMailbox(channel));

  constructor(parts: ChannelServerParts) {
    const { pubsub } = parts;
    this.shard = parts.shard;
    this.context = parts.context;
    this.tasks = new ChannelTasks(parts.tasks);
    this.#pubsub = pubsub;
    this.#maxMailbox = parts.maxMailbox;
    this.onLeftOut = parts.onLeftOut;
    this.#calls = new AsyncCalls(parts.handlerTimeoutMs);
    this.#joinTimeoutMs = parts.joinTimeoutMs;
    this.#reports = new ChannelReports(parts.logger);
    this.#output = new ChannelOutput(pubsub, parts.encoder);
    this.#lives = new ChannelLives({
      ...parts,
      output: this.#output,
      reports: this.#reports,
      calls: this.#calls,
    });
  }

  /** Waits until no channel is left, or the time is up; gives how many are. See ChannelLives. */
  async allEnded(limitMs?: number): Promise<number> {
    return this.#lives.allEnded(limitMs);
  }

  /** Ends what an asynchronous callback kept too long. Called from the shard's sweep. */
  checkTimeouts(nowMs: number): void {
    this.#calls.expire(nowMs);
  }

  // -- join --------------------------------------------------------------------------------------

  /** Runs the join of a new channel and answers it. */
  join(channel: Channel, ref: Ref, payload: unknown): void {
    this.#lives.born();
    channel.ref = ref;
    const startedMs = performance.now();
    channel.isRunning = true;
    let result: unknown;
    try {
      result = channel.definition.join(channel, payload);
    } catch (error) {
      channel.isRunning = false;
      this.#failJoin(channel, error);
      return;
    }
    channel.isRunning = false;
    if (this.#hasOverflowed(channel, result)) return;
    if (!isThenable(result)) {
      this.#finishJoin(channel, result, payload, startedMs);
      return;
    }
    this.#calls.await(
      channel,
      result,
      (value) => this.#finishJoin(channel, value, payload, startedMs),
      (error) => this.#failJoin(channel, error),
      channel.definition.joinTimeoutMs ?? this.#joinTimeoutMs,
    );
  }

  #finishJoin(channel: Channel, result: unknown, params: unknown, startedMs: number): void {
    if (!(result instanceof Reply) || (result.status !== "ok" && result.status !== "error")) {
      const error = badResult("join", "ok(payload?) or error(payload?)", result);
      this.#failJoin(channel, error);
      return;
    }
    this.#reports.joined(channel, result.status, params, startedMs);
    // Subscribed before the answer leaves: what is broadcast after the client saw it comes here.
    if (result.status === "ok") this.#lives.attach(channel);
    try {
      this.#output.replyToJoin(channel, channel.ref, result.status, result.payload);
    } catch (error) {
      // An answer that JSON cannot write is the join's own crash.
      this.#failJoin(channel, error);
      return;
    }
    if (result.status === "error") this.#lives.refused(channel);
    else this.#lives.joined(channel);
    // First what the client must see before the channel's own pushes: the end of a replaced one.
    channel.owner.joinSettled(channel);
    if (!channel.mailbox) return;
    if (channel.owner.isSerial) this.#turns.add(channel);
    else this.flush(channel);
  }

  #failJoin(channel: Channel, error: unknown): void {
    this.#reports.joinCrashed(channel, EVENT.join, error);
    const isLate = hasCode(error, "SIM_ERR_JOIN_TIMEOUT");
    const reason = isLate ? REASON.joinTimeout : REASON.joinCrashed;
    this.#output.refuseJoin(channel, reason);
    channel.owner.channelGone(channel);
    this.#lives.closed(channel);
    channel.owner.joinSettled(channel);
  }

  // -- messages ----------------------------------------------------------------------------------

  receiveIn(channel: Channel, message: Message, frame?: string): void {
    const handler = channel.definition.handleIn.get(message.event);
    const incoming = handler?.intake ? handler.intake(channel, message, frame) : message;
    if (this.#isFree(channel)) {
      this.#handleIn(channel, handler, incoming);
      if (channel.mailbox) this.flush(channel);
      return;
    }
    const { event, payload, ref } = incoming;
    this.#put(channel, { kind: "in", event, payload, ref });
  }

  receiveOut(channel: Channel, event: string, payload: unknown): void {
    this.#receive(channel, { kind: "out", event, payload });
  }

  receiveInfo(channel: Channel, message: unknown): void {
    this.#receive(channel, { kind: "info", message });
  }

  receiveAfter(channel: Channel, delayMs: number, message: unknown): () => void {
    return callLater(channel, delayMs, () => this.receiveInfo(channel, message));
  }

  /** Takes a client's leave. */
  leave(channel: Channel, { ref }: Message): void {
    channel.isLeaving = true;
    this.#receive(channel, { kind: "leave", ref });
  }

  /** Its connection tells it all that there is to tell: it is closed. */
  drain(): void {}

  /** Tells a channel that its connection has so much time left (ms). */
  expiring(channel: Channel, leftMs: number): void {
    this.#receive(channel, { kind: "told", name: "expiring", count: leftMs });
  }

  /** Ends a channel whose connection ends, after what waits for it already. */
  close(channel: Channel, reason: ExitReason): void {
    this.#receive(channel, { kind: "close", reason });
  }

  /** Ends a channel at once and without a word: a rejoin replaces it. */
  kill(channel: Channel): void {
    this.#lives.kill(channel);
  }

  /** Handles now what waits for a channel, as far as it is free to. */
  flush(channel: Channel): void {
    if (channel.mailbox && !channel.isBusy && !channel.isRunning) this.#runMailbox(channel);
  }

  missed(channel: Channel, why?: string): void {
    // Of a further topic that it subscribed to in `join`: told in its turn, once it is joined.
    // Nor does a callback that broadcasts what its own channel cannot get end it under its feet.
    const isLater = channel.state === STATE.joining || channel.isRunning;
    if (isLater) this.#put(channel, { kind: "missed", why });
    else this.#lives.crash(channel, null, missedError(why));
  }

  /** Ends a channel whose client takes too little of what is published to it. */
  tooSlow(channel: Channel): void {
    const message = "the client must take its broadcasts, more of them wait than may";
    this.#lives.crash(channel, null, makeError("SIM_ERR_SLOW_CLIENT", message));
  }

  receiveMissed(channel: Channel, count: number): void {
    this.#reports.broadcastsMissed(channel, count);
    this.#receive(channel, { kind: "told", name: "missed", count });
  }

  push(channel: Channel, event: string, payload: unknown = {}): void {
    const { writers } = channel.definition;
    this.#output.push(channel, event, writers ? writers.written(event, payload) : payload);
  }

  broadcast(
    channel: Channel,
    event: string,
    payload: unknown = {},
    from: Channel | undefined,
  ): void {
    const { writers } = channel.definition;
    const written = writers ? writers.written(event, payload) : payload;
    this.#output.broadcast(channel, event, written, from);
  }

  listen(channel: Channel, topic: string): void {
    if (channel.state >= STATE.ending) return;
    channel.topics ??= new Set();
    channel.topics.add(topic);
    this.#pubsub.subscribe(topic, channel);
  }

  unlisten(channel: Channel, topic: string): void {
    if (channel.topics?.delete(topic)) this.#pubsub.unsubscribe(topic, channel);
  }

  #isFree(channel: Channel): boolean {
    return (
      channel.state === STATE.open &&
      !channel.isRunning &&
      !channel.isBusy &&
      channel.mailbox === undefined &&
      !channel.owner.isSerial
    );
  }

  #receive(channel: Channel, letter: Letter): void {
    if (!this.#isFree(channel)) {
      this.#put(channel, letter);
      return;
    }
    this.#handle(channel, letter);
    if (channel.mailbox) this.flush(channel);
  }

  #put(channel: Channel, letter: Letter): void {
    if (channel.state >= STATE.ending) return;
    channel.mailbox ??= new Mailbox(this.#maxMailbox);
    if (channel.mailbox.tryPut(letter)) {
      const isAwaited = channel.isBusy || channel.isRunning || channel.state === STATE.joining;
      if (!isAwaited) this.#turns.add(channel);
      return;
    }
    // The callback that fills it is on the stack, and ends its channel when it returns.
    if (channel.isRunning) channel.isOverfull = true;
    else this.#overflow(channel);
  }

  #hasOverflowed(channel: Channel, result: unknown): boolean {
    if (!channel.isOverfull) return false;
    ignoreOutcome(result);
    this.#overflow(channel);
    return true;
  }

  #overflow(channel: Channel): void {
    const error = mailboxFull(this.#maxMailbox);
    if (channel.state === STATE.joining) this.#failJoin(channel, error);
    else this.#lives.crash(channel, null, error);
  }

  #runMailbox(channel: Channel): void {
    for (let count = 0; count < LETTERS_PER_TURN; count += 1) {
      if (channel.isBusy || channel.isRunning || channel.state === STATE.joining) return;
      const letter = channel.state === STATE.open ? channel.mailbox?.take() : undefined;
      if (!letter) {
        channel.mailbox = undefined;
        return;
      }
      this.#handle(channel, letter);
    }
    // A channel that keeps sending to itself must not keep the others from their turn.
    this.#turns.add(channel);
  }

  #handle(channel: Channel, letter: Letter): void {
    switch (letter.kind) {
      case "in":
        this.#handleIn(channel, channel.definition.handleIn.get(letter.event), letter);
        break;
      case "out":
        this.#handleOut(channel, letter.event, letter.payload);
        break;
      case "info":
        this.#handleInfo(channel, letter.message);
        break;
      case "leave":
        this.#output.reply(channel, letter.ref, STATUS.ok, undefined);
        this.#lives.end(channel, { shutdown: "left" });
        break;
      case "close":
        this.#lives.close(channel, letter.reason);
        break;
      case "told":
        this.#call(channel, letter.name, channel.definition[letter.name], letter.count);
        break;
      case "missed":
        this.missed(channel, letter.why);
        break;
    }
  }

  // -- callbacks ---------------------------------------------------------------------------------

  #handleIn(channel: Channel, handler: InHandler | undefined, incoming: Incoming): void {
    const { event, payload, ref } = incoming;
    if (!handler) {
      this.#lives.crash(channel, event, noHandler("handleIn", event));
      return;
    }
    const startedMs = this.#reports.wantsHandled(channel) ? performance.now() : undefined;
    channel.ref = ref;
    channel.isRunning = true;
    let result: unknown;
    try {
      const { handle } = handler;
      result = handle(channel, payload);
    } catch (error) {
      channel.isRunning = false;
      this.#lives.crash(channel, event, error);
      return;
    }
    channel.isRunning = false;
    if (this.#hasOverflowed(channel, result)) return;
    if (isThenable(result)) this.#awaitIn(channel, result, event, payload, startedMs);
    else this.#finishIn(channel, event, payload, result, startedMs);
  }

  #awaitIn(
    channel: Channel,
    promise: PromiseLike<unknown>,
    event: unknown,
    payload: unknown,
    startedMs: number | undefined,
  ): void {
    this.#calls.await(
      channel,
      promise,
      (value) => {
        this.#finishIn(channel, event, payload, value, startedMs);
        this.flush(channel);
      },
      (error) => this.#lives.crash(channel, event, error),
    );
  }

  #finishIn(
    channel: Channel,
    event: unknown,
    payload: unknown,
    result: unknown,
    startedMs: number | undefined,
  ): void {
    const { ref } = channel;
    channel.ref = null;
    if (startedMs !== undefined) this.#reports.handled(channel, event, payload, ref, startedMs);
    if (result === undefined || channel.state !== STATE.open) return;
    const answer = result instanceof Stop ? result.reply : result;
    try {
      if (answer instanceof Reply) this.#output.reply(channel, ref, answer.status, answer.payload);
      else if (answer !== undefined) throw badAnswer(event, result);
    } catch (error) {
      this.#lives.crash(channel, event, error);
      return;
    }
    if (result instanceof Stop) this.#stop(channel, event, result.reason);
  }

  #handleOut(channel: Channel, event: string, payload: unknown): void {
    const handler = channel.definition.intercept.get(event);
    if (handler) this.#call(channel, event, handler, payload);
    else this.#lives.crash(channel, event, noHandler("intercept", event));
  }

  #handleInfo(channel: Channel, message: unknown): void {
    const { handleInfo } = channel.definition;
    if (handleInfo) this.#call(channel, "handleInfo", handleInfo, message);
    else this.#reports.noHandleInfo(channel, message);
  }

  // Runs a callback that may give nothing or a stop.
  #call(
    channel: Channel,
    name: string,
    callback: ((socket: object, argument: unknown) => unknown) | undefined,
    argument: unknown,
  ): void {
    channel.isRunning = true;
    let result: unknown;
    try {
      result = callback?.(channel, argument);
    } catch (error) {
      channel.isRunning = false;
      this.#lives.crash(channel, name, error);
      return;
    }
    channel.isRunning = false;
    if (this.#hasOverflowed(channel, result)) return;
    if (!isThenable(result)) {
      this.#finishCall(channel, name, result);
      return;
    }
    this.#calls.await(
      channel,
      result,
      (value) => {
        this.#finishCall(channel, name, value);
        this.flush(channel);
      },
      (error) => this.#lives.crash(channel, name, error),
    );
  }

  #finishCall(channel: Channel, name: string, result: unknown): void {
    if (result === undefined || channel.state !== STATE.open) return;
    if (result instanceof Stop) this.#stop(channel, name, result.reason);
    else this.#lives.crash(channel, name, badResult(name, "nothing or stop(reason)", result));
  }

  #stop(channel: Channel, event: unknown, reason: ExitReason): void {
    if (isGraceful(reason)) this.#lives.end(channel, reason);
    else this.#lives.crash(channel, event, reason);
  }
}
