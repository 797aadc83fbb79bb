/**
 * Log lines and telemetry events about channels.
 *
 * Runs on: shard.
 */

import { shownValue } from "../error-report.ts";
import { hasCode, isError, kindOf } from "../errors.ts";
import type { LineLevel, Logger } from "../log/logger.ts";
import { JsonText } from "../protocol/json-text.ts";
import type { Ref } from "../protocol/message.ts";
import { telemetry } from "../telemetry.ts";
import type { ExitReason } from "../callbacks/results.ts";

/** A channel that log lines and events refer to. */
interface Reported {
  readonly topic: string;
  readonly owner: { readonly connection: { readonly id: number } };
}

/** A channel with the level at which its joins are logged. */
interface Joined extends Reported {
  readonly definition: { readonly logJoin: LineLevel | false };
}

/** The level at which messages of a channel are logged. */
interface HandleInLevel {
  readonly logHandleIn: LineLevel | false;
}

/** Topics with this prefix are reserved, and are not logged. */
const UNLOGGED_PREFIX = "phoenix";

/** Reports on channels. */
export class ChannelReports {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Reports whether the log or a subscriber needs to know how long a channel's handlers take. */
  wantsHandled({ logHandleIn }: HandleInLevel): boolean {
    if (telemetry.channel_handled_in.hasSubscribers) return true;
    return this.#logger.isOn("handledIn", logHandleIn);
  }

  joined(
    { topic, owner, definition }: Joined,
    result: "ok" | "error",
    params: unknown,
    startedMs: number,
  ): void {
    const line = result === "ok" ? "joined" : "joinRefused";
    const durationMs = performance.now() - startedMs;
    const level = isLogged(topic) && definition.logJoin;
    const connection = owner.connection.id;
    this.#logger.log(line, { topic, connection, durationMs, params }, level);
    if (telemetry.channel_joined.hasSubscribers) {
      telemetry.channel_joined.publish({ durationMs, topic, params, result });
    }
  }

  handled(
    { topic, owner, definition }: Reported & { readonly definition: HandleInLevel },
    event: unknown,
    payload: unknown,
    ref: Ref,
    startedMs: number,
  ): void {
    const durationMs = performance.now() - startedMs;
    const decoded = JsonText.decoded(payload);
    const level = isLogged(topic) && definition.logHandleIn;
    const connection = owner.connection.id;
    this.#logger.log("handledIn", { topic, connection, event, durationMs, params: decoded }, level);
    if (!telemetry.channel_handled_in.hasSubscribers) return;
    telemetry.channel_handled_in.publish({ durationMs, topic, event, ref, params: decoded });
  }

  crashed({ topic, owner }: Reported, event: unknown, error: unknown): void {
    const connection = owner.connection.id;
    // Neither is the channel's fault. A slow client has its own log line; a loss is logged at debug
    // level only, since it may affect every channel of a shard that is already behind.
    if (hasCode(error, "SIM_ERR_LAPPED")) this.#logger.log("channelLapped", { topic, connection });
    else if (!hasCode(error, "SIM_ERR_SLOW_CLIENT")) {
      this.#logger.log("channelCrashed", { topic, connection, event, err: causeOf(error) });
    }
    if (!telemetry.channel_crashed.hasSubscribers) return;
    telemetry.channel_crashed.publish({ topic, event, error });
  }

  joinCrashed({ topic, owner }: Reported, event: unknown, error: unknown): void {
    const connection = owner.connection.id;
    this.#logger.log("joinCrashed", { topic, connection, err: causeOf(error) });
    if (!telemetry.channel_crashed.hasSubscribers) return;
    telemetry.channel_crashed.publish({ topic, event, error });
  }

  terminateFailed({ topic, owner }: Reported, error: unknown): void {
    const connection = owner.connection.id;
    this.#logger.log("terminateFailed", { topic, connection, err: causeOf(error) });
  }

  broadcastsMissed({ topic, owner }: Reported, count: number): void {
    const connection = owner.connection.id;
    this.#logger.log("broadcastsMissed", { topic, connection, count });
    if (!telemetry.broadcasts_missed.hasSubscribers) return;
    telemetry.broadcasts_missed.publish({ topic, connection, count });
  }

  ended({ topic }: { readonly topic: string }, reason: ExitReason): void {
    if (telemetry.channel_left.hasSubscribers) telemetry.channel_left.publish({ topic, reason });
  }

  noHandleInfo({ topic, owner }: Reported, message: unknown): void {
    const connection = owner.connection.id;
    this.#logger.log("noHandleInfo", { topic, connection, got: kindOf(message) });
  }
}

function isLogged(topic: string): boolean {
  return !topic.startsWith(UNLOGGED_PREFIX);
}

/** Returns an error for any thrown value or stop reason. */
export function causeOf(cause: unknown): Error {
  if (isError(cause)) return cause;
  const text = typeof cause === "string" ? JSON.stringify(cause) : shownValue(cause);
  return new Error(`ended with ${text}`);
}
