/**
 * Runs channels: one callback at a time for each, messages in order, ends in Phoenix's order.
 *
 * A message whose channel is idle is handled at once; a synchronous handler costs no promise.
 * While an asynchronous one is awaited, messages wait in the mailbox. Whatever user code does
 * (throw, return nonsense, never settle, flood itself) ends its own channel and nothing else.
 *
 *   leave      reply ok, phx_close, terminate            (WIRE §1.8)
 *   stop       [reply,] phx_close, terminate             where the reason is graceful
 *   crash      terminate, phx_error                      an exception, a bad result, another reason
 *   kill       nothing                                   a rejoin replaces the channel
 *
 * Runs on: shard; one for all its channels.
 * Full: a mailbox beyond `maxMailbox`, a callback beyond `handlerTimeoutMs`: the channel crashes
 *       with a reason of its own.
 */

import { makeError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { BroadcastEncoder } from "../protocol/broadcast-encoder.ts";
import { kindOf, topicName } from "../protocol/broadcast-encoder.ts";
import type { Message, Ref } from "../protocol/message.ts";
import { EVENT, REASON, STATUS } from "../protocol/reserved.ts";
import { refJson } from "../protocol/serializer.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import { telemetry } from "../telemetry.ts";
import { AsyncCalls, isThenable } from "./async-calls.ts";
import type { Channel, ChannelRuntime } from "./channel.ts";
import { nextState, STATE, type ChannelStep } from "./channel-state.ts";
import type { Fastlane } from "./fastlane.ts";
import type { Lane } from "./lane.ts";
import { Mailbox, type Letter } from "./mailbox.ts";
import { isGraceful, Reply, Stop, type ExitReason } from "./results.ts";
import { TurnQueue } from "./turn-queue.ts";

/** What a ChannelServer is made of. */
export interface ChannelServerParts {
  readonly shard: number;
  readonly context: object;
  readonly pubsub: PubSub<Lane>;
  readonly fastlane: Fastlane;
  readonly encoder: BroadcastEncoder;
  readonly logger: Logger;
  readonly maxMailbox: number;
  readonly handlerTimeoutMs: number;
  /** Called with +1 and -1 as channels are joined and end. */
  readonly onCount: (change: number) => void;
}

/** Letters of one channel that are handled before others get their turn. */
const LETTERS_PER_TURN = 128;

/** The runtime of a shard's channels. */
export class ChannelServer implements ChannelRuntime {
  readonly shard: number;
  readonly context: object;
  readonly #parts: ChannelServerParts;
  readonly #calls: AsyncCalls;
  readonly #turns = new TurnQueue((channel) => this.#runMailbox(channel));
  #live = 0;
  #onNoneLive: (() => void) | undefined;

  constructor(parts: ChannelServerParts) {
    this.#parts = parts;
    this.shard = parts.shard;
    this.context = parts.context;
    this.#calls = new AsyncCalls(parts.handlerTimeoutMs);
  }

  /** Channels that have not ended. */
  get live(): number {
    return this.#live;
  }

  /** Resolves when no channel is left: each was ended, and its `terminate` settled. */
  async allEnded(): Promise<void> {
    if (this.#live === 0) return;
    await new Promise<void>((resolve) => {
      this.#onNoneLive = resolve;
    });
  }

  /** Ends what an asynchronous callback kept too long. Called from the shard's sweep. */
  checkTimeouts(nowMs: number): void {
    for (const channel of this.#calls.takeExpired(nowMs)) {
      const error = makeError(
        "SIM_ERR_HANDLER_TIMEOUT",
        `a callback must settle within ${this.#parts.handlerTimeoutMs} (ms)`,
      );
      if (channel.state === STATE.joining) {
        this.#refuseJoin(channel, channel.ref, error, REASON.joinTimeout);
      } else if (channel.state === STATE.open) {
        this.#crash(channel, null, error, REASON.handlerTimeout);
      } else {
        this.#closed(channel);
      }
    }
  }

  // -- join --------------------------------------------------------------------------------------

  /** Runs the join of a new channel and answers it. */
  join(channel: Channel, ref: Ref, payload: unknown): void {
    this.#live += 1;
    channel.ref = ref;
    const startedMs = performance.now();
    const settled = (result: unknown): void =>
      this.#joined(channel, ref, result, payload, startedMs);
    const failed = (error: unknown): void =>
      this.#refuseJoin(channel, ref, error, REASON.joinCrashed);
    channel.isRunning = true;
    let result: unknown;
    try {
      result = channel.definition.join(channel, payload);
    } catch (error) {
      channel.isRunning = false;
      failed(error);
      return;
    }
    channel.isRunning = false;
    if (isThenable(result)) this.#calls.await(channel, result, settled, failed);
    else settled(result);
  }

  #joined(channel: Channel, ref: Ref, result: unknown, params: unknown, startedMs: number): void {
    if (!(result instanceof Reply) || (result.status !== "ok" && result.status !== "error")) {
      const error = badResult("join", "ok(payload?) or error(payload?)", result);
      this.#refuseJoin(channel, ref, error, REASON.joinCrashed);
      return;
    }
    this.#reportJoin(channel, result.status, params, startedMs);
    if (result.status === "error") {
      if (!this.#tryReply(channel, refJson(channel.joinRef), ref, result)) return;
      this.#step(channel, "refused");
      channel.owner.channelGone(channel);
      this.#terminate(channel, "shutdown", () => this.#closed(channel));
      channel.owner.joinSettled(channel);
      return;
    }
    // Subscribed before the answer leaves: what is broadcast after the client saw it comes here.
    const entry = this.#parts.pubsub.acquire(channel.topic);
    channel.entry = entry;
    this.#parts.fastlane.join(entry, channel);
    if (!this.#tryReply(channel, refJson(channel.joinRef), ref, result)) return;
    this.#step(channel, "joined");
    channel.ref = null;
    this.#parts.onCount(1);
    // First what the client must see before the channel's own pushes: the end of a replaced one.
    channel.owner.joinSettled(channel);
    if (!channel.mailbox) return;
    if (channel.owner.isSerial) this.#turns.add(channel);
    else this.#runMailbox(channel);
  }

  // An answer that JSON cannot write is the join's own crash.
  #tryReply(channel: Channel, joinRef: string, ref: Ref, result: Reply): boolean {
    const { owner, topic } = channel;
    try {
      const frame = owner.serializer.reply(
        joinRef,
        ref,
        JSON.stringify(topic),
        result.status,
        result.payload,
      );
      owner.connection.send(frame, false);
      return true;
    } catch (error) {
      this.#refuseJoin(channel, ref, error, REASON.joinCrashed);
      return false;
    }
  }

  #refuseJoin(channel: Channel, ref: Ref, error: unknown, reason: string): void {
    const { owner, topic } = channel;
    this.#parts.logger.log("joinCrashed", { topic, err: asError(error) });
    this.#crashed(channel, EVENT.join, error);
    const response = { reason };
    const topicJson = JSON.stringify(topic);
    const joinRef = refJson(channel.joinRef);
    owner.connection.send(
      owner.serializer.reply(joinRef, ref, topicJson, STATUS.error, response),
      false,
    );
    owner.channelGone(channel);
    this.#closed(channel);
    owner.joinSettled(channel);
  }

  // -- messages ----------------------------------------------------------------------------------

  /** Takes a client's message for the channel. */
  receiveIn(channel: Channel, message: Message): void {
    if (this.#isFree(channel)) {
      this.#handleIn(channel, message.event, message.payload, message.ref);
      if (channel.mailbox) this.#runMailbox(channel);
      return;
    }
    const { event, payload, ref } = message;
    this.#put(channel, { kind: "in", event, payload, ref });
  }

  receiveOut(channel: Channel, event: string, payload: unknown): void {
    this.#receive(channel, { kind: "out", event, payload });
  }

  receiveInfo(channel: Channel, message: unknown): void {
    this.#receive(channel, { kind: "info", message });
  }

  receiveAfter(channel: Channel, delayMs: number, message: unknown): () => void {
    channel.timers ??= new Set();
    const { timers } = channel;
    const timer = setTimeout(() => {
      timers.delete(timer);
      this.receiveInfo(channel, message);
    }, delayMs);
    timers.add(timer);
    return () => {
      clearTimeout(timer);
      timers.delete(timer);
    };
  }

  /** Takes a client's leave. */
  leave(channel: Channel, ref: Ref): void {
    channel.isLeaving = true;
    this.#receive(channel, { kind: "leave", ref });
  }

  /** Ends a channel whose connection ends, after what waits for it already. */
  close(channel: Channel, reason: ExitReason): void {
    if (channel.state === STATE.closed) return;
    this.#receive(channel, { kind: "close", reason });
  }

  /** Ends a channel at once and without a word: a rejoin replaces it. */
  kill(channel: Channel): void {
    if (channel.state === STATE.closed) return;
    if (channel.state === STATE.open) this.#parts.onCount(-1);
    this.#step(channel, "kill");
    this.#calls.forget(channel);
    channel.owner.channelGone(channel);
    this.#closed(channel);
  }

  /** Handles now what waits for a channel, as far as it is free to. */
  flush(channel: Channel): void {
    if (channel.mailbox && !channel.isBusy && !channel.isRunning) this.#runMailbox(channel);
  }

  missed(channel: Channel): void {
    if (channel.state !== STATE.open) return;
    const error = new Error("broadcasts were lost between threads");
    this.#crash(channel, null, error, REASON.missed);
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
    if (channel.mailbox) this.#runMailbox(channel);
  }

  #put(channel: Channel, letter: Letter): void {
    if (channel.state >= STATE.ending) return;
    channel.mailbox ??= new Mailbox(this.#parts.maxMailbox);
    if (channel.mailbox.tryPut(letter)) {
      const isAwaited = channel.isBusy || channel.isRunning || channel.state === STATE.joining;
      if (!isAwaited) this.#turns.add(channel);
      return;
    }
    const error = makeError(
      "SIM_ERR_MAILBOX_FULL",
      `the mailbox must hold at most ${this.#parts.maxMailbox} (messages)`,
    );
    if (channel.state === STATE.joining) {
      this.#calls.forget(channel);
      this.#refuseJoin(channel, channel.ref, error, REASON.joinCrashed);
    } else {
      this.#calls.forget(channel);
      this.#crash(channel, null, error, REASON.mailboxFull);
    }
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
        this.#handleIn(channel, letter.event, letter.payload, letter.ref);
        break;
      case "out":
        this.#handleOut(channel, letter.event, letter.payload);
        break;
      case "info":
        this.#handleInfo(channel, letter.message);
        break;
      case "leave":
        this.#reply(channel, letter.ref, STATUS.ok, undefined);
        this.#end(channel, { shutdown: "left" });
        break;
      case "close":
        this.#endSilently(channel, letter.reason);
        break;
    }
  }

  #handleIn(channel: Channel, event: unknown, payload: unknown, ref: Ref): void {
    const handler = channel.definition.handleIn.get(event);
    if (!handler) {
      const error = makeError("SIM_ERR_NO_HANDLER", `no handler in handleIn for ${shown(event)}`);
      this.#crash(channel, event, error, REASON.channelCrash);
      return;
    }
    const isReported = telemetry.channel_handled_in.hasSubscribers;
    const startedMs = isReported ? performance.now() : 0;
    channel.ref = ref;
    channel.isRunning = true;
    let result: unknown;
    try {
      result = handler(channel, payload);
    } catch (error) {
      channel.isRunning = false;
      this.#crash(channel, event, error, REASON.channelCrash);
      return;
    }
    channel.isRunning = false;
    if (result === undefined) channel.ref = null;
    else if (isThenable(result)) this.#awaitIn(channel, result, event, startedMs);
    else this.#finishIn(channel, event, result);
    if (isReported && !channel.isBusy) this.#reportIn(channel, event, ref, startedMs);
  }

  #awaitIn(
    channel: Channel,
    promise: PromiseLike<unknown>,
    event: unknown,
    startedMs: number,
  ): void {
    this.#calls.await(
      channel,
      promise,
      (value) => {
        if (telemetry.channel_handled_in.hasSubscribers) {
          this.#reportIn(channel, event, channel.ref, startedMs);
        }
        this.#finishIn(channel, event, value);
        this.flush(channel);
      },
      (error) => this.#crash(channel, event, error, REASON.channelCrash),
    );
  }

  #finishIn(channel: Channel, event: unknown, result: unknown): void {
    if (channel.state !== STATE.open) return;
    const { ref } = channel;
    try {
      if (result instanceof Reply) this.#reply(channel, ref, result.status, result.payload);
      else if (result instanceof Stop) {
        const answer = result.reply;
        if (answer) this.#reply(channel, ref, answer.status, answer.payload);
      } else if (result !== undefined) {
        const allowed =
          "nothing, ok(payload?), error(payload?), reply(status, payload?) or stop(reason, reply?)";
        throw badResult(`handleIn.${shown(event)}`, allowed, result);
      }
    } catch (error) {
      this.#crash(channel, event, error, REASON.channelCrash);
      return;
    }
    channel.ref = null;
    if (result instanceof Stop) this.#stop(channel, event, result.reason);
  }

  #handleOut(channel: Channel, event: string, payload: unknown): void {
    const handler = channel.definition.intercept.get(event);
    if (!handler) {
      const error = makeError("SIM_ERR_NO_HANDLER", `no handler in intercept for ${shown(event)}`);
      this.#crash(channel, event, error, REASON.channelCrash);
      return;
    }
    this.#call(channel, event, handler, payload);
  }

  #handleInfo(channel: Channel, message: unknown): void {
    const { handleInfo } = channel.definition;
    if (!handleInfo) {
      this.#parts.logger.log("noHandleInfo", { topic: channel.topic, got: kindOf(message) });
      return;
    }
    this.#call(channel, "handleInfo", handleInfo, message);
  }

  // Runs a callback that may give nothing or a stop.
  #call(
    channel: Channel,
    name: string,
    callback: (socket: object, argument: unknown) => unknown,
    argument: unknown,
  ): void {
    channel.isRunning = true;
    let result: unknown;
    try {
      result = callback(channel, argument);
    } catch (error) {
      channel.isRunning = false;
      this.#crash(channel, name, error, REASON.channelCrash);
      return;
    }
    channel.isRunning = false;
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
      (error) => this.#crash(channel, name, error, REASON.channelCrash),
    );
  }

  #finishCall(channel: Channel, name: string, result: unknown): void {
    if (channel.state !== STATE.open || result === undefined) return;
    if (result instanceof Stop) this.#stop(channel, name, result.reason);
    else {
      const error = badResult(name, "nothing or stop(reason)", result);
      this.#crash(channel, name, error, REASON.channelCrash);
    }
  }

  // -- what channels send ------------------------------------------------------------------------

  push(channel: Channel, event: string, payload: unknown = {}): void {
    this.#checkJoined(channel, "push");
    if (channel.state === STATE.closed) return;
    const { connection, serializer } = channel.owner;
    if (serializer.requiresObjects) checkObject(payload);
    const topicJson = channel.entry?.json ?? JSON.stringify(channel.topic);
    connection.send(serializer.push(channel.joinRefJson, topicJson, event, payload), false);
  }

  broadcast(
    channel: Channel,
    event: string,
    payload: unknown = {},
    from: Channel | undefined,
  ): void {
    this.#checkJoined(channel, from ? "broadcastFrom" : "broadcast");
    const { encoder, pubsub } = this.#parts;
    const { entry } = channel;
    encoder.encode(entry ?? topicName(channel.topic), event, payload);
    pubsub.broadcast(entry ?? channel.topic, encoder, "cluster", from);
  }

  listen(channel: Channel, topic: string): void {
    if (channel.state >= STATE.ending) return;
    channel.topics ??= new Set();
    channel.topics.add(topic);
    this.#parts.pubsub.subscribe(topic, channel);
  }

  unlisten(channel: Channel, topic: string): void {
    if (channel.topics?.delete(topic)) this.#parts.pubsub.unsubscribe(topic, channel);
  }

  #reply(channel: Channel, ref: Ref, status: string, payload: unknown): void {
    const { connection, serializer } = channel.owner;
    const topicJson = channel.entry?.json ?? JSON.stringify(channel.topic);
    const frame = serializer.reply(channel.joinRefJson, ref, topicJson, status, payload);
    connection.send(frame, false);
  }

  #checkJoined(channel: Channel, name: string): void {
    if (channel.state !== STATE.joining) return;
    throw makeError(
      "SIM_ERR_NOT_JOINED",
      `${name} must be called after the join was answered; in join, send yourself a message`,
    );
  }

  // -- ends --------------------------------------------------------------------------------------

  #stop(channel: Channel, event: unknown, reason: ExitReason): void {
    if (isGraceful(reason)) this.#end(channel, reason);
    else this.#crash(channel, event, reason, REASON.channelCrash);
  }

  #end(channel: Channel, reason: ExitReason): void {
    this.#step(channel, "end");
    this.#parts.onCount(-1);
    this.#sendEnd(channel, EVENT.close, {});
    channel.owner.channelGone(channel);
    this.#terminate(channel, reason, () => this.#closed(channel));
    this.#reportEnd(channel, reason);
  }

  #endSilently(channel: Channel, reason: ExitReason): void {
    this.#step(channel, "end");
    this.#parts.onCount(-1);
    channel.owner.channelGone(channel);
    this.#terminate(channel, reason, () => this.#closed(channel));
    this.#reportEnd(channel, reason);
  }

  #crash(channel: Channel, event: unknown, cause: unknown, reason: string): void {
    if (channel.state !== STATE.open) return;
    this.#parts.logger.log("channelCrashed", { topic: channel.topic, event, err: asError(cause) });
    this.#crashed(channel, event, cause);
    this.#step(channel, "end");
    this.#parts.onCount(-1);
    this.#calls.forget(channel);
    this.#terminate(channel, asReason(cause), () => {
      // A rejoin during a slow terminate replaced the channel: its client knows already.
      if (channel.state !== STATE.ending) return;
      this.#sendEnd(channel, EVENT.error, { reason });
      channel.owner.channelGone(channel);
      this.#closed(channel);
    });
    this.#reportEnd(channel, asReason(cause));
  }

  #sendEnd(channel: Channel, event: string, payload: object): void {
    const { connection, serializer } = channel.owner;
    const topicJson = JSON.stringify(channel.topic);
    connection.send(serializer.end(refJson(channel.joinRef), topicJson, event, payload), false);
  }

  #terminate(channel: Channel, reason: ExitReason, done: () => void): void {
    const failed = (error: unknown): void => {
      this.#parts.logger.log("terminateFailed", { topic: channel.topic, err: asError(error) });
      done();
    };
    let result: unknown;
    channel.isRunning = true;
    try {
      result = channel.definition.terminate?.(channel, reason);
    } catch (error) {
      channel.isRunning = false;
      failed(error);
      return;
    }
    channel.isRunning = false;
    if (!isThenable(result)) {
      done();
      return;
    }
    // The topic may be joined anew meanwhile, on the same connection: two may not be subscribed.
    this.#detach(channel);
    this.#calls.await(channel, result, done, failed);
  }

  #detach(channel: Channel): void {
    const { entry } = channel;
    if (!entry) return;
    channel.entry = undefined;
    this.#parts.fastlane.leave(entry, channel);
    this.#parts.pubsub.release(entry);
  }

  #closed(channel: Channel): void {
    if (channel.state === STATE.ending) this.#step(channel, "ended");
    else if (channel.state !== STATE.closed) this.#step(channel, "kill");
    this.#calls.forget(channel);
    this.#detach(channel);
    channel.mailbox = undefined;
    for (const timer of channel.timers ?? []) clearTimeout(timer);
    channel.timers = undefined;
    for (const topic of channel.topics ?? []) this.#parts.pubsub.unsubscribe(topic, channel);
    channel.topics = undefined;
    this.#live -= 1;
    if (this.#live === 0) this.#onNoneLive?.();
  }

  #step(channel: Channel, step: ChannelStep): void {
    const state = nextState(channel.state, step);
    if (state === undefined) throw new Error(`no such step, state=${channel.state} step=${step}`);
    channel.state = state;
  }

  // -- reports -----------------------------------------------------------------------------------

  #reportJoin(channel: Channel, result: "ok" | "error", params: unknown, startedMs: number): void {
    const { topic } = channel;
    const line = result === "ok" ? "joined" : "joinRefused";
    const durationMs = performance.now() - startedMs;
    if (channel.definition.logJoin && this.#parts.logger.isOn(line)) {
      this.#parts.logger.log(line, { topic, durationMs });
    }
    if (telemetry.channel_joined.hasSubscribers) {
      telemetry.channel_joined.publish({ durationMs, topic, params, result });
    }
  }

  #reportIn(channel: Channel, event: unknown, ref: Ref, startedMs: number): void {
    const durationMs = performance.now() - startedMs;
    telemetry.channel_handled_in.publish({ durationMs, topic: channel.topic, event, ref });
  }

  #reportEnd({ topic }: Channel, reason: ExitReason): void {
    if (telemetry.channel_left.hasSubscribers) telemetry.channel_left.publish({ topic, reason });
  }

  #crashed({ topic }: Channel, event: unknown, error: unknown): void {
    if (!telemetry.channel_crashed.hasSubscribers) return;
    telemetry.channel_crashed.publish({ topic, event, error });
  }
}

function checkObject(payload: unknown): void {
  if (typeof payload === "object" && payload !== null && !Array.isArray(payload)) return;
  throw makeError("SIM_ERR_PAYLOAD", `payload must be an object, got ${kindOf(payload)}`);
}

function badResult(name: string, allowed: string, got: unknown): Error {
  return makeError("SIM_ERR_BAD_RESULT", `${name} must return ${allowed}, got ${shown(got)}`);
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : kindOf(value);
}

function asError(cause: unknown): Error {
  return cause instanceof Error
    ? cause
    : new Error(`stopped with ${shown(cause)}: ${String(cause)}`);
}

function asReason(cause: unknown): ExitReason {
  return cause instanceof Error || typeof cause === "string" ? cause : asError(cause);
}
