/**
 * Runs raw channels: hands them what comes, sends what they send, and sees that each ends once.
 *
 *   joining --accept--> open --close, fail, crash, end of the connection, rejoin--> closed
 *      +--refuse, crash, join timeout, end of the connection------------------------> closed
 *
 * There is no mailbox: order, and how much waits, are the user's own affair. What is kept is that
 * the client sees Phoenix's order (the answer of a join before all else, one end), and that what
 * user code throws costs its channel alone.
 *
 * Runs on: shard; one for all its raw channels.
 * Full: a join that is not answered within `joinTimeoutMs` is answered with `join timeout`; an `end`
 *       that does not settle within `handlerTimeoutMs` is not waited for.
 */

import { makeError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import { checkEvent } from "../protocol/broadcast-encoder.ts";
import type { Message, Ref } from "../protocol/message.ts";
import { EVENT, REASON, STATUS } from "../protocol/reserved.ts";
import { refJson, type Frame } from "../protocol/serializer.ts";
import type { Broadcast } from "../pubsub/envelope.ts";
import type { Listener } from "../pubsub/registry.ts";
import { ignoreOutcome, isThenable, settledInTime } from "../callbacks/calls.ts";
import { asError, ChannelReports } from "./channel-reports.ts";
import { STATE, takeStep } from "./channel-state.ts";
import type { ShardContext } from "./context.ts";
import { LiveCount } from "../callbacks/live-count.ts";
import type { RawChannelEnd, RawChannelRuntime } from "./raw-channel.ts";
import { areHandlers, type RawChannelHandlers } from "./raw-definition.ts";
import { badResult, type ExitReason } from "../callbacks/results.ts";

/** What a RawChannelServer is made of. */
export interface RawChannelServerParts {
  readonly shard: number;
  readonly context: ShardContext;
  /** Where they listen. PubSub is one. */
  readonly topics: {
    subscribe(topic: string, listener: Listener): void;
    unsubscribe(topic: string, listener: Listener): void;
  };
  readonly logger: Logger;
  readonly handlerTimeoutMs: number;
  /** Where a channel says no other. */
  readonly joinTimeoutMs: number;
  /** Called with +1 and -1 as channels are joined and end. */
  readonly onCount: (change: number) => void;
}

/** Handlers that are called with one argument, and whose result means nothing. */
type HandlerName = Exclude<keyof RawChannelHandlers, "end">;

/** The runtime of a shard's raw channels. */
export class RawChannelServer implements RawChannelRuntime {
  readonly shard: number;
  readonly context: ShardContext;
  readonly #parts: RawChannelServerParts;
  readonly #reports: ChannelReports;
  /** Those whose join is not answered. */
  readonly #joining = new Set<RawChannelEnd>();
  /** Those that have not ended, or whose `end` has not settled. */
  readonly #live = new LiveCount();

  constructor(parts: RawChannelServerParts) {
    this.#parts = parts;
    this.shard = parts.shard;
    this.context = parts.context;
    this.#reports = new ChannelReports(parts.logger);
  }

  /**
   * Waits until no channel is left: each has ended, and its `end` settled.
   *
   * @param limitMs - the longest time; without it, for as long as it takes
   * @returns how many are left then
   */
  async allEnded(limitMs?: number): Promise<number> {
    return this.#live.allGone(limitMs);
  }

  /** Ends the joins that were not answered in time. Called from the shard's sweep. */
  checkTimeouts(nowMs: number): void {
    for (const channel of this.#joining) {
      const { joinTimeoutMs = this.#parts.joinTimeoutMs } = channel.definition;
      if (nowMs - channel.startedMs < joinTimeoutMs) continue;
      const message = `a join must be answered within ${joinTimeoutMs} (ms)`;
      const error = makeError("SIM_ERR_JOIN_TIMEOUT", message);
      this.#failJoin(channel, error, REASON.joinTimeout);
    }
  }

  // -- the socket's side -------------------------------------------------------------------------

  join(channel: RawChannelEnd, _ref: Ref, payload: unknown): void {
    this.#live.born();
    this.#joining.add(channel);
    channel.params = payload;
    channel.isStarting = true;
    let handlers: unknown;
    try {
      handlers = channel.definition.start(channel, payload);
      this.#checkHandlers(channel, handlers);
    } catch (error) {
      this.#crash(channel, EVENT.join, error);
    }
    channel.isStarting = false;
    if (channel.startEnd !== undefined) {
      void this.#runEnd(channel, channel.startEnd);
      channel.owner.joinSettled(channel);
    } else if (channel.answered === STATUS.ok) this.#opened(channel);
    else if (channel.answered === STATUS.error) this.#refused(channel);
  }

  receiveIn(channel: RawChannelEnd, message: Message): void {
    this.#call(channel, message.event, "receive", message);
  }

  leave(channel: RawChannelEnd, message: Message): void {
    channel.isLeaving = true;
    this.receiveIn(channel, message);
  }

  /** A leave that was read is handled: nothing waits here. */
  flush(): void {}

  /** None of what is published goes past it. */
  tooSlow(): void {}

  drain(channel: RawChannelEnd): void {
    if (channel.isOpen) this.#call(channel, "drain", "drain", undefined);
  }

  expiring(channel: RawChannelEnd, leftMs: number): void {
    if (channel.isOpen) this.#call(channel, "expiring", "expiring", leftMs);
  }

  close(channel: RawChannelEnd, reason: ExitReason): void {
    this.#over(channel, reason);
  }

  kill(channel: RawChannelEnd): void {
    this.#over(channel, { shutdown: "duplicate_join" });
  }

  // -- the user's side ---------------------------------------------------------------------------

  answer(channel: RawChannelEnd, status: "ok" | "error", payload: unknown): void {
    if (channel.state === STATE.closed) return;
    if (channel.answered !== undefined) {
      throw makeError("SIM_ERR_JOIN_ANSWERED", "a join must be answered once, got a second answer");
    }
    this.#answer(channel, status, payload);
    this.#reports.joined(channel, status, channel.params, channel.startedMs);
    channel.params = undefined;
    if (!channel.isStarting) {
      if (status === STATUS.ok) this.#opened(channel);
      else this.#refused(channel);
    } else if (status === STATUS.ok) {
      // Now, so that the end of a channel that this one replaces is before its own pushes.
      channel.owner.joinSettled(channel);
    }
  }

  push(channel: RawChannelEnd, event: string, payload: unknown): void {
    if (!this.#maySend(channel, "push")) return;
    checkEvent(event);
    const { serializer } = channel.owner;
    this.#send(channel, serializer.push(channel.joinRefJson, channel.topicJson, event, payload));
  }

  reply(channel: RawChannelEnd, ref: Ref, status: string, payload: unknown): void {
    if (!this.#maySend(channel, "reply")) return;
    const { owner, joinRefJson, topicJson } = channel;
    this.#send(channel, owner.serializer.reply(joinRefJson, ref, topicJson, status, payload));
  }

  sendFrame(channel: RawChannelEnd, frame: Frame): void {
    if (this.#maySend(channel, "sendFrame")) this.#send(channel, frame);
  }

  closeGracefully(channel: RawChannelEnd): void {
    if (!this.#maySend(channel, "close")) return;
    this.#sendEnd(channel, EVENT.close, {});
    this.#over(channel, "normal");
  }

  fail(channel: RawChannelEnd, reason: string): void {
    if (!this.#maySend(channel, "fail")) return;
    this.#sendEnd(channel, EVENT.error, { reason });
    this.#over(channel, reason);
  }

  listen(channel: RawChannelEnd, topic: string): void {
    if (channel.state === STATE.closed) return;
    channel.topics ??= new Set();
    channel.topics.add(topic);
    this.#parts.topics.subscribe(topic, channel);
  }

  unlisten(channel: RawChannelEnd, topic: string): void {
    if (channel.topics?.delete(topic)) this.#parts.topics.unsubscribe(topic, channel);
  }

  receiveBroadcast(channel: RawChannelEnd, broadcast: Broadcast): void {
    this.#call(channel, broadcast.event, "broadcast", broadcast);
  }

  missed(channel: RawChannelEnd, topic: string): void {
    if (channel.handlers?.missed) this.#call(channel, "missed", "missed", topic);
    else if (channel.answered === STATUS.ok) this.#failMissed(channel, topic);
    // Nobody has been told of the topic yet: it counts as if the join had failed.
    else this.#failJoin(channel, missedError(topic), REASON.joinCrashed);
  }

  // -- within ------------------------------------------------------------------------------------

  #checkHandlers(channel: RawChannelEnd, handlers: unknown): void {
    if (areHandlers(handlers)) {
      channel.handlers = handlers;
      return;
    }
    if (handlers === undefined && channel.answered === STATUS.error) return;
    ignoreOutcome(handlers);
    const allowed = "{ receive, … } at once, or nothing where it has refused";
    throw badResult("start", allowed, handlers);
  }

  #call(channel: RawChannelEnd, event: unknown, name: HandlerName, argument: unknown): void {
    const { handlers } = channel;
    const handler = handlers?.[name] as ((argument: unknown) => unknown) | undefined;
    try {
      const result = handler?.call(handlers, argument);
      if (!isThenable(result)) return;
      const failed = (error: unknown): void => this.#crash(channel, event, error);
      Promise.resolve(result).then(undefined, failed);
    } catch (error) {
      this.#crash(channel, event, error);
    }
  }

  #answer(channel: RawChannelEnd, status: "ok" | "error", payload: unknown): void {
    const { owner, sentJoinRef, ref, topicJson } = channel;
    // With the join_ref that came, where later frames use the ref in its place.
    const frame = owner.serializer.reply(refJson(sentJoinRef), ref, topicJson, status, payload);
    channel.answered = status;
    this.#joining.delete(channel);
    this.#send(channel, frame);
  }

  #opened(channel: RawChannelEnd): void {
    takeStep(channel, "joined");
    this.#parts.onCount(1);
    channel.owner.joinSettled(channel);
  }

  #refused(channel: RawChannelEnd): void {
    this.#over(channel, "shutdown");
    channel.owner.joinSettled(channel);
  }

  #crash(channel: RawChannelEnd, event: unknown, error: unknown): void {
    if (channel.state === STATE.closed) return;
    if (channel.answered !== STATUS.ok) {
      this.#failJoin(channel, error, REASON.joinCrashed);
      return;
    }
    this.#reports.crashed(channel, event, error);
    this.#sendEnd(channel, EVENT.error, { reason: REASON.channelCrash });
    this.#over(channel, asError(error));
  }

  #failJoin(channel: RawChannelEnd, error: unknown, reason: string): void {
    this.#reports.joinCrashed(channel, EVENT.join, error);
    if (channel.answered === undefined)
      this.#tell(channel, () => this.#answer(channel, STATUS.error, { reason }));
    this.#over(channel, asError(error));
    channel.owner.joinSettled(channel);
  }

  #failMissed(channel: RawChannelEnd, topic: string): void {
    this.#reports.crashed(channel, null, missedError(topic));
    this.fail(channel, REASON.missed);
  }

  #over(channel: RawChannelEnd, reason: ExitReason): void {
    if (channel.state === STATE.closed) return;
    if (channel.state === STATE.open) {
      this.#parts.onCount(-1);
      this.#reports.ended(channel, reason);
    }
    takeStep(channel, "kill");
    this.#joining.delete(channel);
    channel.owner.channelGone(channel);
    for (const topic of channel.topics ?? []) this.#parts.topics.unsubscribe(topic, channel);
    channel.topics = undefined;
    if (channel.isStarting) channel.startEnd = reason;
    else void this.#runEnd(channel, reason);
  }

  async #runEnd(channel: RawChannelEnd, reason: ExitReason): Promise<void> {
    const { handlers } = channel;
    channel.handlers = undefined;
    try {
      const result = handlers?.end?.(reason);
      if (isThenable(result)) await settledInTime(result, this.#parts.handlerTimeoutMs);
    } catch (error) {
      this.#reports.terminateFailed(channel, error);
    }
    this.#live.gone();
  }

  #maySend(channel: RawChannelEnd, name: string): boolean {
    if (channel.state === STATE.closed) return false;
    if (channel.answered === STATUS.ok) return true;
    throw makeError("SIM_ERR_NOT_JOINED", `${name} must be called after the join was accepted`);
  }

  #send({ owner }: RawChannelEnd, frame: Frame): void {
    owner.connection.send(frame);
  }

  #sendEnd(channel: RawChannelEnd, event: string, payload: object): void {
    const { owner, sentJoinRef, topicJson } = channel;
    this.#tell(channel, () => {
      this.#send(channel, owner.serializer.end(refJson(sentJoinRef), topicJson, event, payload));
    });
  }

  // A serializer of the user's may not be able to write what is no fault of the channel's.
  #tell(channel: RawChannelEnd, tell: () => void): void {
    try {
      tell();
    } catch (error) {
      channel.owner.failed(error);
    }
  }
}

function missedError(topic: string): Error {
  const message = `broadcasts of ${JSON.stringify(topic)} were lost between threads`;
  return makeError("SIM_ERR_LAPPED", message);
}
