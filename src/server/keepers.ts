/**
 * The keepers of histories: which topics they keep, their threads and their files.
 *
 * They start when the first shards have said what is kept, and take over what an earlier process saved. They stop when
 * all other threads have ended, so that they get what these still sent, and save what they have.
 *
 * Runs on: main.
 * Owns:    the files, until the threads of all keepers have ended.
 * Full:    see `keeper-life` and `history-files`.
 */

import type { Logger } from "../log/logger.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { Exchange } from "../pubsub/exchange.ts";
import { KeptTopics, type KeptPatterns } from "../pubsub/kept-topics.ts";
import type { KeeperStart } from "../shard/control.ts";
import { HistoryFiles } from "./history-files.ts";
import { KeeperLife } from "./keeper-life.ts";
import { joinStats, type MemberStats } from "./member-stats.ts";
import type { MemberThread } from "./member-thread.ts";
import { MAIN_MEMBER } from "./memory-plan.ts";
import type { RestartBound } from "./restart-bound.ts";

/** What a keeper starts with, besides what all threads start with. */
export type KeeperLaunch = Pick<KeeperStart, "member" | "kept" | "files" | "isReplacement">;

/** The dependencies of Keepers. */
export interface KeepersParts {
  /** The members of the keepers. */
  readonly members: readonly number[];
  readonly options: ResolvedOptions;
  readonly logger: Logger;
  readonly bound: RestartBound;
  /** All threads that have not ended. */
  readonly threads: ReadonlySet<MemberThread>;
  /** Starts a keeper's thread; resolves when it is ready. */
  readonly launch: (start: KeeperLaunch) => Promise<MemberThread>;
  /** Ends a thread. Resolves with false if it could not be ended. */
  readonly end: (thread: MemberThread) => Promise<boolean>;
  /** Called when a keeper is not replaced any more. */
  readonly onGivenUp: () => void;
}

/** Key of the first keeper in the restart bound; shards count from 0, and the link has -1. */
const FIRST_KEY = -2;

/** The keepers of a node. */
export class Keepers {
  readonly #parts: KeepersParts;
  /** By member. */
  readonly #lives: ReadonlyMap<number, KeeperLife>;
  #kept: KeptPatterns | undefined = undefined;
  #files: HistoryFiles | undefined = undefined;

  constructor(parts: KeepersParts) {
    this.#parts = parts;
    this.#lives = new Map(parts.members.map((member, at) => [member, this.#makeLife(member, at)]));
  }

  /** The patterns of topics that are kept; undefined before `start`. */
  get kept(): KeptPatterns | undefined {
    return this.#kept;
  }

  /** Returns the life of the keeper with this member number; undefined if it is not a keeper's. */
  lifeOf(member: number): KeeperLife | undefined {
    return this.#lives.get(member);
  }

  /** Returns the counters of all keepers; undefined if none has been started. */
  stats(): MemberStats | undefined {
    const keepers = this.#threads();
    return keepers.length === 0 ? undefined : joinStats(keepers.map((thread) => thread.stats()));
  }

  /** Starts the keepers. @returns the topics that they keep; undefined if none is kept, and so none was started */
  async start(patterns: KeptPatterns): Promise<KeptTopics | undefined> {
    const { options, logger } = this.#parts;
    this.#kept = patterns;
    const kept = new KeptTopics(patterns);
    if (kept.isEmpty) {
      // What an earlier process saved misses the broadcasts of this one.
      HistoryFiles.open({ ...options, historyThreads: 0 }, logger)?.close();
      return undefined;
    }
    this.#files = HistoryFiles.open(options, logger);
    await Promise.all([...this.#lives.values()].map((life) => life.start()));
    this.#files?.closeSaved();
    return kept;
  }

  /** Prevents keepers that end from being replaced. */
  close(): void {
    for (const life of this.#lives.values()) life.close();
  }

  /**
   * Ends the keepers, which save what they have. All other threads have ended, unless they could not be.
   *
   * @param exchange - main's
   */
  async stop(exchange: Exchange): Promise<void> {
    const { threads, end } = this.#parts;
    const keepers = this.#threads();
    for (const { role, member } of threads) {
      if (role !== "keeper") this.tellLost(member);
    }
    if (keepers.some(({ member }) => exchange.queuedBytesTo(member) > 0))
      this.tellLost(MAIN_MEMBER);
    const haveEnded = await Promise.all(keepers.map((thread) => end(thread)));
    if (haveEnded.every(Boolean)) this.#files?.close();
  }

  /** Tells the keepers that broadcasts of a member may have been lost on their way to them. */
  tellLost(member: number): void {
    for (const thread of this.#threads()) thread.send({ kind: "retire", member, hasLost: true });
  }

  #threads(): MemberThread[] {
    return [...this.#parts.threads].filter(({ role }) => role === "keeper");
  }

  #makeLife(member: number, at: number): KeeperLife {
    const { bound, logger, launch, onGivenUp } = this.#parts;
    return new KeeperLife({
      launch: async (isReplacement) =>
        launch({
          member,
          kept: this.#kept ?? [],
          files: this.#files?.of(at, isReplacement),
          isReplacement,
        }),
      bound,
      key: FIRST_KEY - at,
      logger,
      onGivenUp,
    });
  }
}
