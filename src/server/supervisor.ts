/**
 * Starts the shards and the link, replaces a shard that ends, and stops them all in order.
 *
 * Runs on: main.
 * Order: a shard is taken out of the deal before it may close its app; its thread is ended by force
 *        only once the app is closed (the engine would abort the process).
 * Full: a shard that ends more than 5 times within a minute is given up; the server goes on with
 *       the others.
 */

import type { Logger } from "../logger.ts";
import { Life } from "../memory/life.ts";
import type { ResolvedOptions } from "../options.ts";
import type { AdapterSpec } from "../pubsub/adapter.ts";
import type { LinkStart, NodeMemory, ShardStart, TaskMessage } from "../shard/control.ts";
import type { Acceptor } from "./acceptor.ts";
import type { Host } from "./host.ts";
import { MemberThread, type MemberThreadEvents } from "./member-thread.ts";
import { LINK_MEMBER, MemberNumbers } from "./memory-plan.ts";
import { RestartBound } from "./restart-bound.ts";
import { Retirement } from "./retirement.ts";
import type { TaskPool } from "./tasks.ts";

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
/** After a shard left the deal, sockets may still be on their way to it. */
const SETTLE_MS = 100;
/** How long main waits on its way out for all shards to close. */
const EXIT_MS = 2_000;

/** The threads of a server. */
export class Supervisor implements MemberThreadEvents {
  readonly #parts: SupervisorParts;
  readonly #life: Life;
  readonly #numbers: MemberNumbers;
  readonly #retirement: Retirement;
  readonly #restarts = new RestartBound();
  /** By index of the shard. */
  readonly #shards = new Map<number, MemberThread>();
  readonly #threads = new Set<MemberThread>();
  #isStopping = false;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    this.#life = new Life(parts.memory.life);
    this.#numbers = new MemberNumbers(parts.options.shards);
    this.#retirement = new Retirement(parts.host, this.#life, (member) =>
      this.#numbers.free(member),
    );
  }

  /** Members that serve, by index of their shard. */
  members(): ReadonlyMap<number, number> {
    return new Map([...this.#shards].map(([shard, thread]) => [shard, thread.member]));
  }

  /** Starts everything; resolves when all serve. What one of them failed with is thrown. */
  async start(): Promise<void> {
    const { options, adapter } = this.#parts;
    const starts = Array.from({ length: options.shards }, (_, shard) => this.#startShard(shard));
    if (adapter) starts.push(this.#startLink(adapter));
    const outcomes = await Promise.allSettled(starts);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
    for (const thread of this.#shards.values()) this.#deal(thread);
  }

  /**
   * Stops everything in order: no more connections, drain, stop, the threads run dry.
   *
   * @param deadlineMs - after which connections that take nothing are cut
   */
  async stop(deadlineMs: number): Promise<void> {
    const { acceptor, options } = this.#parts;
    this.#isStopping = true;
    const shards = [...this.#shards.values()];
    const wereDealt = acceptor.size > 0;
    for (const shard of shards) this.#release(shard);
    if (wereDealt) await pause(SETTLE_MS);
    const limitMs = deadlineMs + options.shutdownMs;
    await within(limitMs, Promise.all(shards.map((shard) => shard.drain(deadlineMs))));
    await Promise.all([...this.#threads].map((thread) => this.#end(thread)));
  }

  /** Cuts all connections: what drains is done at once. */
  cut(): void {
    for (const shard of this.#shards.values()) shard.send({ kind: "cut" });
  }

  /** Closes all shards' apps from within the process's exit, where no loop goes round any more. */
  closeOnExit(): void {
    this.#life.stopAll();
    const deadlineMs = performance.now() + EXIT_MS;
    for (const thread of this.#threads) {
      this.#life.waitClosed(thread.member, Math.max(0, deadlineMs - performance.now()));
    }
  }

  onLeaving(thread: MemberThread): void {
    this.#release(thread);
  }

  onDeal(thread: MemberThread, isIn: boolean): void {
    const { acceptor, logger } = this.#parts;
    const { descriptor, shard } = thread;
    thread.isWithdrawn = !isIn;
    if (this.#shards.get(shard) !== thread || this.#isStopping || descriptor === undefined) return;
    if (isIn) this.#deal(thread);
    else acceptor.remove(descriptor);
    logger.log(isIn ? "shardReturned" : "shardWithdrawn", { shard });
    if (acceptor.size === 0) logger.log("noShardInDeal");
  }

  onRetired(thread: MemberThread, member: number): void {
    this.#retirement.forgotten(thread, member);
  }

  onTask(thread: MemberThread, message: TaskMessage): void {
    this.#parts.tasks.take(thread, message);
  }

  onExit(thread: MemberThread): void {
    this.#threads.delete(thread);
    this.#parts.tasks.forget(thread);
    this.#release(thread);
    this.#retirement.ended(thread);
    const wasServing = this.#shards.get(thread.shard) === thread;
    if (wasServing) this.#shards.delete(thread.shard);
    if (this.#isStopping || !wasServing || thread.descriptor === undefined) return;
    this.#parts.logger.log("shardEnded", { shard: thread.shard, err: thread.failure });
    this.#retirement.begin(thread.member, [...this.#threads]);
    void this.#replace(thread.shard);
  }

  async #replace(shard: number): Promise<void> {
    const { acceptor, logger } = this.#parts;
    if (!this.#restarts.tryCount(shard, performance.now())) {
      logger.log("shardGivenUp", { shard });
      if (acceptor.size === 0) logger.log("noShardLeft");
      return;
    }
    try {
      const thread = await this.#startShard(shard);
      if (this.#isStopping) return;
      this.#deal(thread);
      logger.log("shardReplaced", { shard, member: thread.member });
    } catch (error) {
      logger.log("shardEnded", { shard, err: error });
      await this.#replace(shard);
    }
  }

  async #startShard(shard: number): Promise<MemberThread> {
    const { memory, options, app, data, logger } = this.#parts;
    const member = await this.#numbers.take();
    const start: ShardStart = { memory, options, member, shard, app, data };
    const thread = new MemberThread(SHARD_ENTRY, start, start, this);
    this.#threads.add(thread);
    try {
      await thread.ready();
    } catch (error) {
      await thread.exited();
      this.#retirement.begin(member, [...this.#threads]);
      throw error;
    }
    this.#shards.set(shard, thread);
    logger.log("shardReady", { shard, member });
    return thread;
  }

  async #startLink(adapter: AdapterSpec): Promise<MemberThread> {
    const { memory, options } = this.#parts;
    const start: LinkStart = { memory, options, member: LINK_MEMBER, adapter };
    const thread = new MemberThread(LINK_ENTRY, { member: LINK_MEMBER, shard: -1 }, start, this);
    this.#threads.add(thread);
    await thread.ready();
    return thread;
  }

  #deal({ descriptor, isWithdrawn }: MemberThread): void {
    if (descriptor !== undefined && !isWithdrawn) this.#parts.acceptor.add(descriptor);
  }

  #release(thread: MemberThread): void {
    if (thread.descriptor !== undefined) this.#parts.acceptor.remove(thread.descriptor);
    if (!thread.hasEnded) this.#life.release(thread.member);
  }

  async #end(thread: MemberThread): Promise<void> {
    const { logger, options } = this.#parts;
    thread.send({ kind: "stop" });
    if (await within(options.shutdownMs, thread.exited())) return;
    if (this.#life.isClosed(thread.member)) {
      logger.log("shardTerminated", { shard: thread.shard });
      await thread.terminate();
    } else {
      // User code spins: the thread cannot close its app, and may not be ended before it has.
      logger.log("shardTerminated", { shard: thread.shard, isAbandoned: true });
      thread.abandon();
    }
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Waits for a promise up to a time; false where the time ran out. */
async function within(limitMs: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  const isDone = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return isDone;
}
