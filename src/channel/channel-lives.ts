/**
 * How channels begin and end: their states, their subscriptions, `terminate`, and who is left.
 *
 *   leave, stop   [reply,] phx_close, terminate     where the reason is graceful (WIRE §1.8)
 *   crash         terminate, phx_error              an exception, a bad result, another reason
 *   close         terminate                         the connection ends
 *   kill          nothing                           a rejoin replaces the channel
 *
 * Runs on: shard.
 */

import { hasCode } from "../errors.ts";
import { EVENT, REASON } from "../protocol/reserved.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import { isThenable, type AsyncCalls } from "../callbacks/calls.ts";
import type { Channel } from "./channel.ts";
import type { ChannelOutput } from "./channel-output.ts";
import { asError, type ChannelReports } from "./channel-reports.ts";
import { cancelTasks } from "./tasks/channel-tasks.ts";
import { STATE, takeStep } from "./channel-state.ts";
import type { Fastlane } from "./fastlane.ts";
import type { Lane } from "./lane.ts";
import { LiveCount } from "../callbacks/live-count.ts";
import type { ExitReason } from "../callbacks/results.ts";

/** What the lives of channels are made of. */
export interface ChannelLivesParts {
  readonly pubsub: PubSub<Lane>;
  readonly fastlane: Fastlane;
  readonly output: ChannelOutput;
  readonly reports: ChannelReports;
  readonly calls: AsyncCalls;
  /** Called with +1 and -1 as channels are joined and end. */
  readonly onCount: (change: number) => void;
  /** Called with each channel that has ended, or was never joined: nothing reaches its client. */
  readonly onClosed: (channel: Channel) => void;
}

/** The lives of a shard's channels. */
export class ChannelLives {
  readonly #parts: ChannelLivesParts;
  readonly #live = new LiveCount();

  constructor(parts: ChannelLivesParts) {
    this.#parts = parts;
  }

  /**
   * Waits until no channel is left: each was ended, and its `terminate` settled.
   *
   * @param limitMs - the longest time; without it, for as long as it takes
   * @returns how many are left then
   */
  async allEnded(limitMs?: number): Promise<number> {
    return this.#live.allGone(limitMs);
  }

  /** A channel is made. */
  born(): void {
    this.#live.born();
  }

  /** Subscribes a channel: from now on broadcasts of its topic come to its client. */
  attach(channel: Channel): void {
    const entry = this.#parts.pubsub.acquire(channel.topic);
    channel.entry = entry;
    this.#parts.fastlane.join(entry, channel);
  }

  /** The join was accepted, and answered. */
  joined(channel: Channel): void {
    takeStep(channel, "joined");
    channel.ref = null;
    this.#parts.onCount(1);
  }

  /** The join was refused by the user, and answered. */
  refused(channel: Channel): void {
    takeStep(channel, "refused");
    channel.owner.channelGone(channel);
    this.#terminate(channel, "shutdown", () => this.closed(channel));
  }

  /** Ends a channel; its client is told, and does not come back. */
  end(channel: Channel, reason: ExitReason): void {
    this.#beginEnd(channel);
    this.#parts.output.end(channel, EVENT.close, {});
    channel.owner.channelGone(channel);
    this.#terminate(channel, reason, () => this.closed(channel));
    this.#parts.reports.ended(channel, reason);
  }

  /** Ends a channel whose connection ends. */
  close(channel: Channel, reason: ExitReason): void {
    this.#beginEnd(channel);
    channel.owner.channelGone(channel);
    this.#terminate(channel, reason, () => this.closed(channel));
    this.#parts.reports.ended(channel, reason);
  }

  /** Ends a channel by an error; its client is told why, and joins anew. */
  crash(channel: Channel, event: unknown, cause: unknown): void {
    if (channel.state !== STATE.open) return;
    channel.ref = null;
    this.#parts.reports.crashed(channel, event, cause);
    this.#parts.calls.forget(channel);
    this.#beginEnd(channel);
    const reason = typeof cause === "string" ? cause : asError(cause);
    this.#terminate(channel, reason, () => {
      this.#parts.output.end(channel, EVENT.error, { reason: wireReasonOf(cause) });
      channel.owner.channelGone(channel);
      this.closed(channel);
    });
    this.#parts.reports.ended(channel, reason);
  }

  /** Ends a channel at once and without a word. */
  kill(channel: Channel): void {
    if (channel.state === STATE.closed) return;
    if (channel.state === STATE.open) {
      this.#parts.onCount(-1);
      this.#parts.reports.ended(channel, { shutdown: "duplicate_join" });
    }
    takeStep(channel, "kill");
    channel.owner.channelGone(channel);
    this.closed(channel);
  }

  /** The end of every channel: nothing of it is left, and nothing reaches its client. */
  closed(channel: Channel): void {
    if (channel.state === STATE.ending) takeStep(channel, "ended");
    else if (channel.state === STATE.joining) takeStep(channel, "refused");
    this.#parts.calls.forget(channel);
    this.#detach(channel);
    channel.mailbox = undefined;
    for (const timer of channel.timers ?? []) clearTimeout(timer);
    channel.timers = undefined;
    for (const topic of channel.topics ?? []) this.#parts.pubsub.unsubscribe(topic, channel);
    channel.topics = undefined;
    cancelTasks(channel);
    this.#parts.onClosed(channel);
    this.#live.gone();
  }

  #beginEnd(channel: Channel): void {
    takeStep(channel, "end");
    this.#parts.onCount(-1);
  }

  #terminate(channel: Channel, reason: ExitReason, done: () => void): void {
    const failed = (error: unknown): void => {
      this.#parts.reports.terminateFailed(channel, error);
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
    this.#parts.calls.await(channel, result, done, failed);
  }

  #detach(channel: Channel): void {
    const { entry } = channel;
    if (!entry) return;
    channel.entry = undefined;
    this.#parts.fastlane.leave(entry, channel);
    this.#parts.pubsub.release(entry);
  }
}

/** What the client is told: Phoenix's reason, or which limit of ours it was. */
function wireReasonOf(cause: unknown): string {
  if (hasCode(cause, "SIM_ERR_HANDLER_TIMEOUT")) return REASON.handlerTimeout;
  if (hasCode(cause, "SIM_ERR_MAILBOX_FULL")) return REASON.mailboxFull;
  if (hasCode(cause, "SIM_ERR_SLOW_CLIENT")) return REASON.slowClient;
  const hasMissed = hasCode(cause, "SIM_ERR_LAPPED") || hasCode(cause, "SIM_ERR_NO_FORM");
  return hasMissed ? REASON.missed : REASON.channelCrash;
}
