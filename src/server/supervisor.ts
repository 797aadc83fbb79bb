/**
 * Starts the shards, the link and the keepers, replaces threads that end, and stops all in order.
 *
 * Runs on: main.
 * Order: a shard is removed from the rotation before it may close its app. Its thread is terminated
 *        only after its app is closed; otherwise the engine would abort the process.
 * Full: a shard that ends more than 5 times within a minute is not replaced, and the server
 *       continues with the others. When none is left, the server has failed. The same applies to the
 *       link; the node is then isolated. A keeper that ends too often makes the server fail.
 */

import { availableParallelism } from "node:os";

import { makeError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import { clearAddressCounts } from "../memory/address-counts.ts";
import { clearBufferGauges } from "../memory/buffer-gauges.ts";
import { clearCounters, Counters } from "../memory/counters.ts";
import { clearFigures } from "../memory/figures.ts";
import { Life } from "../memory/life.ts";
import type { OutputThread } from "../output/output-thread.ts";
import { clearRunning } from "../memory/running.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { threadFile } from "../package-copy.ts";
import type { AdapterSpec } from "../pubsub/adapter.ts";
import type { AnswerMessage, NodeMemory } from "../shard/control.ts";
import type { TaskMessage } from "../tasks/task-messages.ts";
import type { EngineChoice } from "../transport/engine/engine.ts";
import type { NodeListener } from "../transport/engine/listener-port.ts";
import type { Engine } from "../transport/engine/engine-port.ts";
import type { Certificate } from "./certificate.ts";
import type { Attachment } from "./attachment/attachment.ts";
import type { Host } from "./host.ts";
import { Keepers, type KeeperLaunch } from "./keepers.ts";
import { LinkLife, type LinkThreads } from "./link-life.ts";
import { joinFigures, type TransportStats } from "./transport-stats.ts";
import { joinStats, PastStats, type MemberStats } from "./member-stats.ts";
import { MemberThread, type MemberThreadEvents } from "./member-thread.ts";
import { LINK_MEMBER, MAIN_MEMBER, MemberNumbers } from "./memory-plan.ts";
import type { DrainedNode } from "./node-drain.ts";
import { endProcess, EXIT } from "./process-end.ts";
import { Questions } from "./questions.ts";
import { RestartBound } from "./restart-bound.ts";
import { Retirement } from "./retirement.ts";
import { Rotation } from "./rotation.ts";
import {
  ANSWER_MS,
  closedError,
  ShardRestarts,
  type RestartedThreads,
  type ShardRestart,
} from "./shard-restarts.ts";
import { StuckShards } from "./stuck-shards.ts";
import type { TaskPool } from "../tasks/task-pool.ts";
import { telemetry } from "../telemetry.ts";
import { within } from "./time-limit.ts";
import { Watchdog, type WatchdogEvents } from "./watchdog.ts";

/** The dependencies of a Supervisor. */
export interface SupervisorParts {
  readonly memory: NodeMemory;
  readonly output: OutputThread;
  readonly options: ResolvedOptions;
  readonly host: Host;
  readonly engine: Pick<Engine, "outlivesThreads">;
  readonly choice: EngineChoice;
  readonly listener: NodeListener;
  /** Undefined if the shards serve http. */
  readonly certificate: Certificate | undefined;
  /** Undefined if the server has a port of its own. */
  readonly attachment: Attachment | undefined;
  readonly tasks: TaskPool;
  readonly logger: Logger;
  readonly app: string;
  readonly data: unknown;
  readonly adapter: AdapterSpec | undefined;
}

const SHARD_ENTRY = "../shard/entry.js";
const LINK_ENTRY = "../shard/link-entry.js";
const KEEPER_ENTRY = "../shard/keeper-entry.js";
/** Minimum number of shards that start concurrently. */
const STARTS_AT_ONCE = 4;
/** How long main waits for all shards to close when the process exits. */
const EXIT_MS = 2_000;
/** How long main then waits for shards whose callbacks it has ended. */
const EXIT_ENDED_MS = 1_000;
/** Shortest time without a beat after which `end` takes a thread for stuck. */
const STILL_MS = 500;

/** The threads of a server. */
export class Supervisor
  implements
    MemberThreadEvents,
    RestartedThreads,
    LinkThreads,
    DrainedNode,
    WatchdogEvents<MemberThread>
{
  readonly questions: Questions;
  readonly #parts: SupervisorParts;
  readonly #life: Life;
  readonly #numbers: MemberNumbers;
  readonly #retirement: Retirement;
  readonly #bound = new RestartBound();
  readonly #restarts: ShardRestarts;
  readonly #link: LinkLife;
  readonly #keepers: Keepers;
  readonly #rotation: Rotation;
  readonly #watchdog: Watchdog<MemberThread>;
  readonly #stuck: StuckShards;
  readonly #past = new PastStats();
  /** The serving threads, by shard. */
  readonly #shards = new Map<number, MemberThread>();
  /** All threads that have not ended, including the link and threads that start or drain. */
  readonly #threads = new Set<MemberThread>();
  /** Number of threads that each shard has had so far. */
  readonly #launched: number[];
  readonly #replacing = new Set<number>();
  /** Shards that are not replaced any more. */
  readonly #givenUp = new Set<number>();
  #fail: (error: Error) => void = () => {};
  /** Resolves with SIM_ERR_NO_SHARDS when no shard serves any more. */
  readonly failed = new Promise<Error>((resolve) => {
    this.#fail = resolve;
  });
  #hasFailed = false;
  /** If set, no more shards are started. */
  #isDraining = false;
  /** If set, the link is not started either, and ended threads are not retired. */
  #isStopping = false;

  constructor(parts: SupervisorParts) {
    const { options, listener, logger } = parts;
    this.#parts = parts;
    this.questions = new Questions(options.controlTimeoutMs);
    this.#life = new Life(parts.memory.life);
    this.#numbers = new MemberNumbers(options.shards);
    this.#link = new LinkLife(this, this.#bound, logger);
    this.#keepers = new Keepers({
      members: parts.memory.keepers,
      options,
      logger,
      bound: this.#bound,
      threads: this.#threads,
      launch: async (start) => this.#launchKeeper(start),
      end: async (thread) => this.end(thread),
      onGivenUp: () => this.#failWith("got no thread that keeps histories"),
    });
    this.#retirement = new Retirement(parts.host.member, this.#life, (member) => {
      const keeper = this.#keepers.lifeOf(member);
      if (member === LINK_MEMBER) this.#link.retired();
      else if (keeper) keeper.retired();
      else this.#numbers.free(member);
    });
    this.#restarts = new ShardRestarts(this, options, logger);
    this.#rotation = new Rotation(listener, this.#life, logger);
    this.#launched = Array.from({ length: options.shards }, () => 0);
    const watched = (): MemberThread[] =>
      this.shardThreads().filter(({ member }) => !this.#life.isClosed(member));
    this.#watchdog = new Watchdog(this.#life, options.stallMs, watched, this);
    this.#stuck = new StuckShards({
      running: parts.memory.running,
      stallMs: options.stallMs,
      counters: new Counters(parts.memory.counters, MAIN_MEMBER),
      logger,
    });
  }

  /** Whether every thread has ended. Otherwise the process can only be ended by force. */
  get hasEnded(): boolean {
    return this.#threads.size === 0;
  }

  /** Returns the shard threads that can have connections: those that are serving or draining. */
  shardThreads(): MemberThread[] {
    return [...this.#threads].filter(({ shard, isReady }) => shard >= 0 && isReady);
  }

  /**
   * Returns the counters of a shard, including past threads; undefined if it has no thread at
   * present.
   */
  stats(shard: number): MemberStats | undefined {
    const threads = this.shardThreads().filter((thread) => thread.shard === shard);
    if (threads.length === 0) return undefined;
    return joinStats([...this.#past.of(shard), ...threads.map((thread) => thread.stats())]);
  }

  /** Returns what the custom transports of all shards measure. */
  transportStats(): TransportStats {
    const { shards } = this.#parts.options;
    return joinFigures(shards, this.shardThreads());
  }

  /** Returns the counters of all keepers; undefined if no channel declares a history. */
  historyStats(): MemberStats | undefined {
    return this.#keepers.stats();
  }

  /** Returns the counters of all shards, including those without a thread. */
  totalStats(): MemberStats {
    const now = this.shardThreads().map((thread) => thread.stats());
    return joinStats([...this.#past.all(), ...now]);
  }

  /**
   * Starts all threads. Resolves when all are ready, or rejects with the error of a thread that
   * failed.
   */
  async start(): Promise<void> {
    const { adapter } = this.#parts;
    const starts = [this.#startShards()];
    if (adapter) starts.push(this.#link.start());
    const outcomes = await Promise.allSettled(starts);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
    await this.#startKeepers();
    for (const thread of this.#shards.values()) this.#rotation.enter(thread);
    this.#watchdog.start();
  }

  /** Whether a shard's thread has the current certificate. */
  hasCertificate(shard: number): boolean {
    return this.#shards.get(shard)?.tlsDigest === this.#parts.certificate?.files.digest;
  }

  /** Replaces a shard's thread with a new one, which loads the app and the certificate again. */
  async restart(shard: number): Promise<ShardRestart> {
    return this.#restarts.restart(shard);
  }

  leave(): void {
    this.#parts.listener.leave();
  }

  stopAccepting(): { readonly threads: readonly MemberThread[]; readonly wasAccepting: boolean } {
    const { listener } = this.#parts;
    listener.stopListening();
    this.#isDraining = true;
    this.#restarts.close();
    this.#numbers.close();
    const wasAccepting = listener.size > 0;
    const threads = this.shardThreads();
    for (const thread of threads) {
      this.#rotation.release(thread);
      this.#endIfClosing(thread);
    }
    return { threads, wasAccepting };
  }

  refuseClients(): void {
    this.#life.drain();
  }

  /** Stops all drained threads in order: runs the app's `stop`, and lets the threads finish. */
  async stop(): Promise<void> {
    this.stopAccepting();
    this.#isStopping = true;
    this.#link.close();
    this.#keepers.close();
    const shards = this.shardThreads().filter((thread) => !thread.isLate);
    const finished = Promise.all(shards.map((shard) => shard.finish()));
    await within(this.#parts.options.shutdownMs, finished);
    // The keepers last, so that they get what the others still send.
    const others = [...this.#threads].filter(({ role }) => role !== "keeper");
    await Promise.all(others.map((thread) => this.end(thread)));
    await this.#keepers.stop(this.#parts.host.member.exchange);
    this.#watchdog.stop();
  }

  /** Cuts all connections of draining shards, so that their drains finish immediately. */
  cut(): void {
    for (const thread of this.shardThreads()) thread.send({ kind: "cut" });
  }

  /**
   * Closes the apps of all shards in an exit handler, when main's event loop no longer runs. If a shard
   * cannot close its app, ends the process by force.
   *
   * @param code - the exit code of the process
   */
  closeOnExit(code: number): void {
    this.#life.stopAll();
    if (this.#allClosed(EXIT_MS)) return;
    const unclosed = this.#unclosed().filter((thread) => !thread.isAbandoned);
    for (const thread of unclosed) this.#stuck.endCallback(thread);
    if (this.#allClosed(EXIT_ENDED_MS)) return;
    for (const { shard } of unclosed) this.#parts.logger.log("shardNotEnded", { shard });
    endProcess(code === 0 ? EXIT.shardNotEnded : code, this.#parts.output);
  }

  #allClosed(limitMs: number): boolean {
    const deadlineMs = performance.now() + limitMs;
    for (const { member, isAbandoned } of this.#threads) {
      if (!isAbandoned) this.#life.waitClosed(member, Math.max(0, deadlineMs - performance.now()));
    }
    return this.#unclosed().length === 0;
  }

  /** Threads that the engine or Node.js would wait for, or abort because of. */
  #unclosed(): MemberThread[] {
    const isUnclosed = ({ member, isAbandoned }: MemberThread): boolean =>
      isAbandoned || !this.#life.isClosed(member);
    return [...this.#threads].filter(isUnclosed);
  }

  // -- events of threads --------------------------------------------------------------------------

  onLeaving(thread: MemberThread): void {
    this.#rotation.release(thread);
  }

  onRotation(thread: MemberThread, isIn: boolean): void {
    this.#rotation.setOverloaded(thread, !isIn);
  }

  onStuck(thread: MemberThread): void {
    this.#rotation.update(thread);
    this.#stuck.begin(thread);
    this.#endIfClosing(thread);
  }

  onStillStuck(thread: MemberThread): void {
    this.#endIfClosing(thread);
  }

  onTurning(thread: MemberThread, forMs: number): void {
    this.#rotation.update(thread);
    this.#stuck.end(thread, forMs);
  }

  onAllStuck(forMs: number): void {
    this.#failWith(`got all stuck for ${forMs} (ms)`);
  }

  onGone(thread: MemberThread): void {
    const { shard, member } = thread;
    if (!thread.isReady || thread.hasEnded || this.#life.isClosed(member)) return;
    if (this.#parts.engine.outlivesThreads) return;
    // The engine is about to abort the process.
    this.#parts.logger.log("shardDied", { shard, ...this.#stuck.runningOn(thread) });
    endProcess(EXIT.shardDied, this.#parts.output);
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
    this.#rotation.release(thread);
    // Its callback may have been ended before it was found to be stuck.
    this.#stuck.release(thread);
    if (thread.isStuck) {
      thread.isStuck = false;
      this.#stuck.end(thread, this.#watchdog.stillMs(thread));
    }
    this.#retirement.ended(thread);
    const { shard } = thread;
    const wasServing = this.#shards.get(shard) === thread;
    if (wasServing) this.#shards.delete(shard);
    if (this.#isStopping) {
      const hasLost = thread.role !== "keeper" && thread.stats().overflowBytes > 0;
      if (hasLost) this.#keepers.tellLost(thread.member);
      return;
    }
    if (thread.role === "link") this.#link.ended(thread);
    if (thread.role === "keeper") this.#keepers.lifeOf(thread.member)?.ended(thread);
    this.#retire(thread);
    if (!wasServing) return;
    this.#parts.logger.log("shardEnded", { shard, err: thread.failure });
    if (!this.#restarts.isLaunching(shard)) void this.#replace(shard);
  }

  // -- threads ----------------------------------------------------------------------------------

  async launch(shard: number): Promise<MemberThread> {
    const { memory, output, options, app, data, choice, certificate, attachment, logger } =
      this.#parts;
    const member = await this.#numbers.take(options.startTimeoutMs);
    if (member === undefined) throw closedError();
    certificate?.tryReload();
    const predecessors = this.#launched[shard] ?? 0;
    this.#launched[shard] = predecessors + 1;
    const start = {
      memory,
      output: output.memory,
      options,
      engine: choice,
      member,
      shard,
      predecessors,
      kept: this.#keepers.kept,
      tls: certificate?.files,
      app,
      data,
      attachSecret: attachment?.secret,
    };
    const thread = new MemberThread(threadFile(SHARD_ENTRY, import.meta.url), start, this);
    this.#threads.add(thread);
    await this.#ready(thread);
    attachment?.serve(thread.paths);
    logger.log("shardReady", { shard, member });
    return thread;
  }

  async launchLink(isReplacement: boolean): Promise<MemberThread> {
    const { memory, output, options, adapter } = this.#parts;
    if (!adapter) throw makeError("SIM_ERR_INTERNAL", "a link without an adapter");
    const start = {
      memory,
      output: output.memory,
      options,
      member: LINK_MEMBER,
      adapter,
      kept: this.#keepers.kept,
      isReplacement,
    };
    const thread = new MemberThread(threadFile(LINK_ENTRY, import.meta.url), start, this);
    this.#threads.add(thread);
    return this.#ready(thread);
  }

  async #launchKeeper(start: KeeperLaunch): Promise<MemberThread> {
    const { memory, output, options } = this.#parts;
    const whole = { memory, output: output.memory, options, ...start };
    const thread = new MemberThread(threadFile(KEEPER_ENTRY, import.meta.url), whole, this);
    this.#threads.add(thread);
    return this.#ready(thread);
  }

  /** Starts the keepers if the app declares a history, and tells main and the link what is kept. */
  async #startKeepers(): Promise<void> {
    const [first] = this.#shards.values();
    const patterns = first?.kept ?? [];
    const kept = await this.#keepers.start(patterns);
    if (!kept) return;
    this.#parts.host.keep(kept);
    for (const thread of this.#threads) {
      if (thread.role === "link") await thread.keep(patterns);
    }
  }

  install(thread: MemberThread): MemberThread | undefined {
    const old = this.#shards.get(thread.shard);
    this.#shards.set(thread.shard, thread);
    this.#givenUp.delete(thread.shard);
    this.#parts.tasks.renew();
    this.#rotation.enter(thread, old);
    return old;
  }

  restartSettled(shard: number): void {
    // The old thread ended while a new one was starting, and the new thread failed.
    if (!this.#shards.has(shard)) void this.#replace(shard);
  }

  /** Ends what a stuck thread runs if the thread must close: the node drains, or the thread was replaced. */
  #endIfClosing(thread: MemberThread): void {
    const isClosing = this.#isDraining || this.#shards.get(thread.shard) !== thread;
    if (isClosing && thread.isStuck) void this.#endReported(thread);
  }

  async #endReported(thread: MemberThread): Promise<void> {
    await this.#stuck.reported(thread);
    if (thread.isStuck && this.#watchdog.isStill(thread)) this.#stuck.endCallback(thread);
  }

  async end(thread: MemberThread): Promise<boolean> {
    const { logger, options } = this.#parts;
    const { shard, member } = thread;
    const beats = this.#life.beats(member);
    thread.send({ kind: "stop" });
    const { shutdownMs } = options;
    if (await within(shutdownMs, thread.exited())) return true;
    if (!this.#life.isClosed(member)) {
      // User code blocks the thread, so it cannot close its app and must not be terminated.
      if (await this.#endCallbacks(thread, beats)) return true;
    }
    if (this.#life.isClosed(member)) {
      if (thread.role === "link") logger.log("linkTerminated");
      else if (thread.role === "keeper") logger.log("keeperTerminated");
      else logger.log("shardTerminated", { shard });
      if (await thread.terminate(ANSWER_MS)) return true;
    }
    this.#stuck.release(thread);
    logger.log("shardNotEnded", { shard });
    thread.abandon();
    return false;
  }

  /**
   * Ends what a thread runs until its loop turns: after one callback another may hold it, such as the
   * `terminate` of the next channel.
   *
   * @returns whether the thread has exited
   */
  async #endCallbacks(thread: MemberThread, stillAt: number): Promise<boolean> {
    const untilMs = performance.now() + STILL_MS + this.#parts.options.shutdownMs;
    let beats = stillAt;
    while (performance.now() < untilMs) {
      if (await within(STILL_MS, thread.exited())) return true;
      if (beats === this.#life.beats(thread.member)) this.#stuck.endCallback(thread);
      beats = this.#life.beats(thread.member);
    }
    return false;
  }

  async #ready(thread: MemberThread): Promise<MemberThread> {
    try {
      await thread.ready();
    } catch (error) {
      // Not awaited: timers of the app module can keep the thread alive.
      void this.end(thread);
      throw error;
    }
    const isOver = thread.shard < 0 ? this.#isStopping : this.#isDraining;
    if (isOver) throw closedError();
    if (thread.hasEnded) {
      throw makeError("SIM_ERR_SHARD_START", `${thread.name} ended as soon as it was ready`);
    }
    if (thread.shard >= 0) this.#parts.host.setOutgoing(thread.outgoing);
    return thread;
  }

  /**
   * Starts a few shards at a time. Starting more at once is not faster, and all of them would fail
   * if the app cannot be loaded.
   */
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

  /** Starts a thread for a shard that has none. @returns false if the start must be retried */
  async #tryReplace(shard: number): Promise<boolean> {
    const { logger } = this.#parts;
    if (!this.#bound.tryCount(shard, performance.now())) {
      logger.log("shardGivenUp", { shard });
      this.#givenUp.add(shard);
      this.#rotation.reportIfEmpty();
      if (this.#givenUp.size === this.#launched.length) this.#failWith("got all given up");
      return true;
    }
    try {
      const thread = await this.launch(shard);
      if (this.#shards.has(shard)) {
        // A restart has installed another thread in the meantime.
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

  #failWith(got: string): void {
    if (this.#hasFailed || this.#isDraining) return;
    this.#hasFailed = true;
    const error = makeError("SIM_ERR_NO_SHARDS", `a shard must serve, ${got}`);
    this.#parts.logger.log("serverFailed", { err: error });
    const { server_failed: channel } = telemetry;
    if (channel.hasSubscribers) channel.publish({ error });
    this.#fail(error);
  }

  #retire(thread: MemberThread): void {
    const { memory, logger } = this.#parts;
    const { member, shard } = thread;
    const last = thread.stats();
    const hasLost = last.overflowBytes > 0;
    if (hasLost) logger.log("recordsLost", { shard, member, bytes: last.overflowBytes });
    if (shard >= 0) this.#past.add(shard, last);
    clearCounters(memory.counters, member);
    clearRunning(memory.running, member);
    clearBufferGauges(memory.buffers, member);
    clearFigures(memory.figures, member);
    if (memory.addresses) clearAddressCounts(memory.addresses, member);
    this.#retirement.begin(member, [...this.#threads], hasLost);
  }
}
