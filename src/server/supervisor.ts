/**
 * Starts the shards and the link, replaces a shard that ends, and stops them all in order.
 *
 * Runs on: main.
 * Order: a shard is taken out of the deal before it may close its app; its thread is ended by force
 *        only once the app is closed (the engine would abort the process).
 * Full: a shard that ends more than 5 times within a minute is given up; the server goes on with
 *       the others. A link that does is given up as well; the node is alone then.
 */

import { availableParallelism } from "node:os";

import { makeError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import { clearCounters } from "../memory/counters.ts";
import { Life } from "../memory/life.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { AdapterSpec } from "../pubsub/adapter.ts";
import type { AnswerMessage, NodeMemory } from "../shard/control.ts";
import type { TaskMessage } from "../tasks/task-messages.ts";
import type { Acceptor } from "./acceptor.ts";
import type { Host } from "./host.ts";
import { Levelling } from "./levelling.ts";
import { LinkLife, type LinkThreads } from "./link-life.ts";
import { joinStats, PastStats, type MemberStats } from "./member-stats.ts";
import { MemberThread, type MemberThreadEvents } from "./member-thread.ts";
import { LINK_MEMBER, MemberNumbers } from "./memory-plan.ts";
import type { DrainedNode } from "./node-drain.ts";
import { Questions } from "./questions.ts";
import { RestartBound } from "./restart-bound.ts";
import { Retirement } from "./retirement.ts";
import {
  closedError,
  ShardRestarts,
  type RestartedThreads,
  type ShardRestart,
} from "./shard-restarts.ts";
import type { TaskPool } from "../tasks/task-pool.ts";
import { within } from "./time-limit.ts";

/** What a supervisor is made of. */
export interface SupervisorParts {
  readonly memory: NodeMemory;
  readonly options: ResolvedOptions;
  readonly host: Host;
  readonly acceptor: Acceptor;
  readonly tasks: TaskPool;
  readonly logger: Logger;
  readonly app: string;
  readonly data: unknown;
  readonly adapter: AdapterSpec | undefined;
}

const SHARD_ENTRY = new URL("../shard/entry.js", import.meta.url);
const LINK_ENTRY = new URL("../shard/link-entry.js", import.meta.url);
/** Shards that start at once, at least. */
const STARTS_AT_ONCE = 4;
/** How long main waits on its way out for all shards to close. */
const EXIT_MS = 2_000;

/** The threads of a server. */
export class Supervisor implements MemberThreadEvents, RestartedThreads, LinkThreads, DrainedNode {
  readonly questions: Questions;
  readonly #parts: SupervisorParts;
  readonly #life: Life;
  readonly #numbers: MemberNumbers;
  readonly #retirement: Retirement;
  readonly #bound = new RestartBound();
  readonly #restarts: ShardRestarts;
  readonly #link: LinkLife;
  readonly #levelling: Levelling;
  readonly #past = new PastStats();
  /** The threads that serve, by index of the shard. */
  readonly #shards = new Map<number, MemberThread>();
  /** All that have not ended: the link, and those that start or drain as well. */
  readonly #threads = new Set<MemberThread>();
  /** How many threads each shard has had. */
  readonly #launched: number[];
  readonly #replacing = new Set<number>();
  /** No shard is started any more. */
  #isDraining = false;
  /** Nor is the link, and what ends needs not be retired. */
  #isStopping = false;

  constructor(parts: SupervisorParts) {
    const { options, acceptor, logger } = parts;
    this.#parts = parts;
    this.questions = new Questions(options.controlTimeoutMs);
    this.#life = new Life(parts.memory.life);
    this.#numbers = new MemberNumbers(options.shards);
    this.#link = new LinkLife(this, this.#bound, logger);
    this.#retirement = new Retirement(parts.host, this.#life, (member) => {
      if (member === LINK_MEMBER) this.#link.retired();
      else this.#numbers.free(member);
    });
    this.#restarts = new ShardRestarts(this, options, logger);
    this.#levelling = new Levelling(acceptor, () => this.#shards.values());
    this.#launched = Array.from({ length: options.shards }, () => 0);
  }

  /** The threads of shards that have connections: those that serve, and those that drain. */
  shardThreads(): MemberThread[] {
    return [...this.#threads].filter(
      ({ shard, descriptor }) => shard >= 0 && descriptor !== undefined,
    );
  }

  /** Numbers of a shard and all its threads; undefined where it has none now. */
  stats(shard: number): MemberStats | undefined {
    const threads = this.shardThreads().filter((thread) => thread.shard === shard);
    if (threads.length === 0) return undefined;
    return joinStats([...this.#past.of(shard), ...threads.map((thread) => thread.stats())]);
  }

  /** Numbers of all shards, of those too that have no thread now. */
  totalStats(): MemberStats {
    const now = this.shardThreads().map((thread) => thread.stats());
    return joinStats([...this.#past.all(), ...now]);
  }

  /** Starts everything; resolves when all serve. What one of them failed with is thrown. */
  async start(): Promise<void> {
    const { adapter } = this.#parts;
    const starts = [this.#startShards()];
    if (adapter) starts.push(this.#link.start());
    const outcomes = await Promise.allSettled(starts);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
    for (const thread of this.#shards.values()) this.#deal(thread);
  }

  /** Replaces a shard's thread by a new one, which loads the app anew. */
  async restart(shard: number): Promise<ShardRestart> {
    return this.#restarts.restart(shard);
  }

  leave(): void {
    this.#parts.acceptor.leave();
  }

  closeDeal(): { readonly threads: readonly MemberThread[]; readonly hadDeal: boolean } {
    const { acceptor } = this.#parts;
    acceptor.stopListening();
    this.#isDraining = true;
    this.#restarts.close();
    this.#levelling.stop();
    this.#numbers.close();
    const hadDeal = acceptor.size > 0;
    const threads = this.shardThreads();
    for (const thread of threads) this.#release(thread);
    return { threads, hadDeal };
  }

  closeDoors(): void {
    this.#life.drain();
  }

  /** Stops everything in order once it is drained: the app's `stop`, and the threads run dry. */
  async stop(): Promise<void> {
    this.closeDeal();
    this.#isStopping = true;
    this.#link.close();
    const shards = this.shardThreads().filter((thread) => !thread.isLate);
    const finished = Promise.all(shards.map((shard) => shard.finish()));
    await within(this.#parts.options.shutdownMs, finished);
    await Promise.all([...this.#threads].map((thread) => this.end(thread)));
  }

  /** Cuts all connections: what drains is done at once. */
  cut(): void {
    for (const thread of this.shardThreads()) thread.send({ kind: "cut" });
  }

  /** Closes all shards' apps from within the process's exit, where no loop goes round any more. */
  closeOnExit(): void {
    this.#life.stopAll();
    const deadlineMs = performance.now() + EXIT_MS;
    for (const thread of this.#threads) {
      this.#life.waitClosed(thread.member, Math.max(0, deadlineMs - performance.now()));
    }
  }

  // -- what threads tell -------------------------------------------------------------------------

  onLeaving(thread: MemberThread): void {
    this.#release(thread);
  }

  onDeal(thread: MemberThread, isIn: boolean): void {
    const { acceptor, logger } = this.#parts;
    const { descriptor, shard } = thread;
    thread.isWithdrawn = !isIn;
    if (this.#shards.get(shard) !== thread || this.#isDraining || descriptor === undefined) return;
    if (isIn) this.#deal(thread);
    else acceptor.remove(descriptor);
    logger.log(isIn ? "shardReturned" : "shardWithdrawn", { shard });
    if (acceptor.size === 0) logger.log("allShardsOverloaded");
  }

  onRetired(thread: MemberThread, member: number): void {
    this.#retirement.forgotten(thread, member);
  }

  onTask(thread: MemberThread, message: TaskMessage): void {
    this.#parts.tasks.take(thread, message);
  }

  onAnswer(thread: MemberThread, message: AnswerMessage): void {
    this.questions.answered(thread, message);
  }

  onExit(thread: MemberThread): void {
    this.#threads.delete(thread);
    this.#parts.tasks.forget(thread);
    this.questions.ended(thread);
    this.#release(thread);
    this.#retirement.ended(thread);
    const { shard } = thread;
    const wasServing = this.#shards.get(shard) === thread;
    if (wasServing) this.#shards.delete(shard);
    if (this.#isStopping) return;
    if (shard < 0) this.#link.ended(thread);
    this.#retire(thread);
    if (!wasServing) return;
    this.#parts.logger.log("shardEnded", { shard, err: thread.failure });
    if (!this.#restarts.isLaunching(shard)) void this.#replace(shard);
  }

  // -- threads ----------------------------------------------------------------------------------

  async launch(shard: number): Promise<MemberThread> {
    const { memory, options, app, data, logger } = this.#parts;
    const member = await this.#numbers.take(options.startTimeoutMs);
    if (member === undefined) throw closedError();
    const predecessors = this.#launched[shard] ?? 0;
    this.#launched[shard] = predecessors + 1;
    const start = { memory, options, member, shard, predecessors, app, data };
    const thread = new MemberThread(SHARD_ENTRY, start, this);
    this.#threads.add(thread);
    await this.#ready(thread);
    logger.log("shardReady", { shard, member });
    return thread;
  }

  async launchLink(isReplacement: boolean): Promise<MemberThread> {
    const { memory, options, adapter } = this.#parts;
    if (!adapter) throw makeError("SIM_ERR_INTERNAL", "a link without an adapter");
    const start = { memory, options, member: LINK_MEMBER, adapter, isReplacement };
    const thread = new MemberThread(LINK_ENTRY, start, this);
    this.#threads.add(thread);
    return this.#ready(thread);
  }

  install(thread: MemberThread): MemberThread | undefined {
    const old = this.#shards.get(thread.shard);
    this.#shards.set(thread.shard, thread);
    this.#parts.tasks.renew();
    this.#deal(thread);
    if (old) this.#release(old);
    this.#levelling.begin(thread);
    return old;
  }

  restartSettled(shard: number): void {
    // The old thread ended while the new one started, which then failed.
    if (!this.#shards.has(shard)) void this.#replace(shard);
  }

  async end(thread: MemberThread): Promise<boolean> {
    const { logger, options } = this.#parts;
    thread.send({ kind: "stop" });
    if (await within(options.shutdownMs, thread.exited())) return true;
    const { shard } = thread;
    if (this.#life.isClosed(thread.member)) {
      if (shard < 0) logger.log("linkTerminated");
      else logger.log("shardTerminated", { shard });
      await thread.terminate();
      return true;
    }
    // User code spins: the thread cannot close its app, and may not be ended before it has.
    logger.log("shardTerminated", { shard, isAbandoned: true });
    thread.abandon();
    return false;
  }

  async #ready(thread: MemberThread): Promise<MemberThread> {
    try {
      await thread.ready();
    } catch (error) {
      // What its module began, a timer perhaps, may keep it alive: nobody waits for that.
      void this.end(thread);
      throw error;
    }
    const isOver = thread.shard < 0 ? this.#isStopping : this.#isDraining;
    if (isOver) throw closedError();
    if (thread.hasEnded) {
      throw makeError("SIM_ERR_SHARD_START", `${thread.name} ended as soon as it was ready`);
    }
    return thread;
  }

  /** A few at a time: more at once take no less time, and where the app cannot load, more fail. */
  async #startShards(): Promise<void> {
    const { shards } = this.#parts.options;
    let next = 0;
    let failure: { readonly error: unknown } | undefined;
    const startSome = async (): Promise<void> => {
      while (next < shards && !failure) {
        const shard = next;
        next += 1;
        try {
          this.#shards.set(shard, await this.launch(shard));
        } catch (error) {
          failure ??= { error };
        }
      }
    };
    const atOnce = Math.max(STARTS_AT_ONCE, availableParallelism());
    await Promise.all(Array.from({ length: atOnce }, startSome));
    if (failure) throw failure.error;
  }

  async #replace(shard: number): Promise<void> {
    if (this.#isDraining || this.#replacing.has(shard)) return;
    this.#replacing.add(shard);
    let isDone = false;
    while (!isDone) isDone = await this.#tryReplace(shard);
    this.#replacing.delete(shard);
  }

  /** Starts another thread for a shard that has none. @returns false where it is to be tried again */
  async #tryReplace(shard: number): Promise<boolean> {
    const { acceptor, logger } = this.#parts;
    if (!this.#bound.tryCount(shard, performance.now())) {
      logger.log("shardGivenUp", { shard });
      if (acceptor.size === 0) logger.log("noShardLeft");
      return true;
    }
    try {
      const thread = await this.launch(shard);
      if (this.#shards.has(shard)) {
        // A restart was quicker.
        void this.end(thread);
        return true;
      }
      this.install(thread);
      logger.log("shardReplaced", { shard, member: thread.member });
      return true;
    } catch (error) {
      if (!this.#isDraining) logger.log("shardEnded", { shard, err: error });
      return this.#isDraining;
    }
  }

  #deal({ descriptor, isWithdrawn }: MemberThread): void {
    if (descriptor !== undefined && !isWithdrawn) this.#parts.acceptor.add(descriptor);
  }

  #release(thread: MemberThread): void {
    if (thread.descriptor !== undefined) this.#parts.acceptor.remove(thread.descriptor);
    if (!thread.hasEnded) this.#life.release(thread.member);
  }

  #retire(thread: MemberThread): void {
    const { memory, logger } = this.#parts;
    const { member, shard } = thread;
    const last = thread.stats();
    const hasLost = last.overflowBytes > 0;
    if (hasLost) logger.log("recordsLost", { shard, member, bytes: last.overflowBytes });
    if (shard >= 0) this.#past.add(shard, last);
    clearCounters(memory.counters, member);
    this.#retirement.begin(member, [...this.#threads], hasLost);
  }
}
