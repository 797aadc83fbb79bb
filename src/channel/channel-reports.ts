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
import { REASON } from "../protocol/reserved.ts";
import { telemetry } from "../telemetry.ts";
import type { ExitReason } from "../callbacks/results.ts";

/** A channel that log lines and events refer to. */
interface Reported {
  readonly topic: string;
  readonly owner: { readonly connection: { readonly id: number }; readonly id: string | null };
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

  /** @param payload - the payload of the join's answer, which names the reason of a refusal */
  joined(
    channel: Joined,
    result: "ok" | "error",
    payload: unknown,
    params: unknown,
    startedMs: number,
  ): void {
    const { topic, definition } = channel;
    const line = result === "ok" ? "joined" : "joinRefused";
    const durationMs = performance.now() - startedMs;
    const level = isLogged(topic) && definition.logJoin;
    const { connection, id } = channel.owner;
    if (this.#logger.takes(line, level, connection.id)) {
      const place = { topic, connection: connection.id, id };
      const fields =
        result === "ok"
          ? { ...place, durationMs, params }
          : { ...place, reason: reasonOf(payload), durationMs, params };
      this.#logger.write(line, fields, level);
    }
    if (telemetry.channel_joined.hasSubscribers) {
      telemetry.channel_joined.publish({ durationMs, topic, params, result });
    }
  }

  historyJoined(
    channel: {
      readonly topic: string;
      readonly owner: { readonly connection: { readonly id: number } };
    },
    recovered: boolean,
    count: number,
    startedMs: number,
  ): void {
    if (!telemetry.history_joined.hasSubscribers) return;
    const { topic, owner } = channel;
    const durationMs = performance.now() - startedMs;
    const connection = owner.connection.id;
    telemetry.history_joined.publish({ topic, connection, recovered, count, durationMs });
  }

  handled(
    channel: Reported & { readonly definition: HandleInLevel },
    event: unknown,
    payload: unknown,
    ref: Ref,
    startedMs: number,
  ): void {
    const { topic, definition } = channel;
    const durationMs = performance.now() - startedMs;
    const decoded = JsonText.decoded(payload);
    const level = isLogged(topic) && definition.logHandleIn;
    if (this.#logger.takes("handledIn", level, channel.owner.connection.id)) {
      const fields = { ...placeOf(channel), event, durationMs, params: decoded };
      this.#logger.write("handledIn", fields, level);
    }
    if (!telemetry.channel_handled_in.hasSubscribers) return;
    telemetry.channel_handled_in.publish({ durationMs, topic, event, ref, params: decoded });
  }

  crashed(channel: Reported, event: unknown, error: unknown): void {
    const { topic } = channel;
    // Neither is the channel's fault. A slow client has its own log line; a loss is logged at debug
    // level only, since it may affect every channel of a shard that is already behind.
    if (hasCode(error, "SIM_ERR_LAPPED")) this.#logger.log("channelLapped", placeOf(channel));
    else if (!hasCode(error, "SIM_ERR_SLOW_CLIENT")) {
      this.#logger.log("channelCrashed", { ...placeOf(channel), event, err: causeOf(error) });
    }
    if (!telemetry.channel_crashed.hasSubscribers) return;
    telemetry.channel_crashed.publish({ topic, event, error });
  }

  joinCrashed(channel: Reported, event: unknown, error: unknown): void {
    const { topic } = channel;
    this.#logger.log("joinCrashed", { ...placeOf(channel), err: causeOf(error) });
    if (!telemetry.channel_crashed.hasSubscribers) return;
    telemetry.channel_crashed.publish({ topic, event, error });
  }

  terminateFailed(channel: Reported, error: unknown): void {
    this.#logger.log("terminateFailed", { ...placeOf(channel), err: causeOf(error) });
  }

  broadcastsMissed(channel: Reported, count: number): void {
    const { topic } = channel;
    const connection = channel.owner.connection.id;
    this.#logger.log("broadcastsMissed", { ...placeOf(channel), count });
    if (!telemetry.broadcasts_missed.hasSubscribers) return;
    telemetry.broadcasts_missed.publish({ topic, connection, count });
  }

  ended({ topic }: { readonly topic: string }, reason: ExitReason): void {
    if (telemetry.channel_left.hasSubscribers) telemetry.channel_left.publish({ topic, reason });
  }

  noHandleInfo(channel: Reported, message: unknown): void {
    this.#logger.log("noHandleInfo", { ...placeOf(channel), got: kindOf(message) });
  }
}

/** Returns the fields that say which channel it is, and whose. */
function placeOf({ topic, owner }: Reported): object {
  return { topic, connection: owner.connection.id, id: owner.id };
}

/** Returns the reason in the payload of a refusal, or the payload itself. */
function reasonOf(payload: unknown): unknown {
  if (typeof payload !== "object" || payload === null) return payload;
  try {
    return "reason" in payload ? payload.reason : payload;
  } catch {
    // A getter, or a Proxy, threw.
    return payload;
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

/** Returns the reason sent to the client: Phoenix's, or the name of the limit that was exceeded. */
export function wireReasonOf(cause: unknown): string {
  if (hasCode(cause, "SIM_ERR_HANDLER_TIMEOUT")) return REASON.handlerTimeout;
  if (hasCode(cause, "SIM_ERR_MAILBOX_FULL")) return REASON.mailboxFull;
  if (hasCode(cause, "SIM_ERR_SLOW_CLIENT")) return REASON.slowClient;
  const hasMissed = hasCode(cause, "SIM_ERR_LAPPED") || hasCode(cause, "SIM_ERR_NO_FORM");
  return hasMissed ? REASON.missed : REASON.channelCrash;
}
