/**
 * State shared by all channels of a shard, so that each channel needs only one pointer.
 *
 * Runs on: shard; one instance for all channels, including raw ones.
 */

import type { Callbacks } from "../callbacks/callbacks.ts";
import type { Logger } from "../log/logger.ts";
import type { Counters } from "../memory/counters.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import { ChannelReports } from "./channel-reports.ts";
import type { ShardContext } from "./context.ts";
import { FailedMessages } from "./failed-messages.ts";
import type { Fastlane } from "./fastlane.ts";
import type { Lane } from "./lane.ts";
import type { Tasks } from "./tasks/tasks.ts";

/** Options that channels use. */
export type ChannelOptions = Pick<ResolvedOptions, "handlerTimeoutMs" | "joinTimeoutMs">;

/** A join that user code, or the keeper of a history, has not yet answered. */
export interface OpenJoin {
  readonly startedMs: number;
  readonly joinTimeoutMs: number;
  /** Ends the channel because its join was not answered in time. */
  timedOut(): void;
}

/** The dependencies and the shared state of a shard's channels. */
export class ShardChannels {
  readonly shard: number;
  readonly context: ShardContext;
  readonly pubsub: PubSub<Lane>;
  readonly fastlane: Fastlane;
  readonly tasks: Tasks;
  readonly callbacks: Callbacks;
  readonly counters: Counters;
  readonly options: ChannelOptions;
  readonly reports: ChannelReports;
  /** Called for each channel that has ended, or whose join has failed. */
  readonly onEnded: (channel: object) => void;
  /** Joins of raw channels, and of channels with a history, that have not been answered. */
  readonly openJoins = new Set<OpenJoin>();
  readonly failedMessages = new FailedMessages();

  constructor(given: {
    readonly shard: number;
    readonly context: ShardContext;
    readonly pubsub: PubSub<Lane>;
    readonly fastlane: Fastlane;
    readonly tasks: Tasks;
    readonly callbacks: Callbacks;
    readonly counters: Counters;
    readonly options: ChannelOptions;
    readonly logger: Logger;
    readonly onEnded: (channel: object) => void;
  }) {
    this.shard = given.shard;
    this.context = given.context;
    this.pubsub = given.pubsub;
    this.fastlane = given.fastlane;
    this.tasks = given.tasks;
    this.callbacks = given.callbacks;
    this.counters = given.counters;
    this.options = given.options;
    this.reports = new ChannelReports(given.logger);
    this.onEnded = given.onEnded;
  }

  /** Ends channels whose join was not answered in time. Called from the shard's sweep. */
  checkOpenJoins(nowMs: number): void {
    for (const join of this.openJoins) {
      if (nowMs - join.startedMs >= join.joinTimeoutMs) join.timedOut();
    }
  }
}
