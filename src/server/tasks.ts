/**
 * The one pool that runs the CPU-bound work of all shards' channels.
 *
 *   waiting --a thread is free--> running --done, failed--> answered
 *      |                             |
 *      +------- cancelled -----------+--> gone: no answer; a thread that ran it is ended
 *                                    +--> too long: answered with an error, its thread is ended
 *
 * The pool is made at the first task. It is given no more tasks than it has threads: who waits,
 * waits here, in the order of coming, so that the bound, the time limit and the cancelling of a
 * task are exact.
 *
 * Runs on: main.
 * Full: a task beyond `maxTaskQueue` is refused at once.
 */

import { makeError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { ResolvedOptions } from "../options.ts";
import type {
  TaskAnswer,
  TaskCall,
  TaskMessage,
  TaskOutcome,
  TaskRequest,
} from "../shard/control.ts";
import { reportOf } from "../shard/error-report.ts";
import { makePiscina, type Piscina } from "./piscina.ts";

/** Who gives tasks, and gets the answers: a shard's thread. */
export interface TaskOwner {
  send(answer: TaskAnswer): void;
}

interface Job {
  readonly owner: TaskOwner;
  readonly request: TaskRequest;
  readonly abort: AbortController;
  timer: NodeJS.Timeout | undefined;
  /** The threads that it runs in. */
  pool: Piscina | undefined;
  isCancelled: boolean;
  /** Why it was aborted, where its owner is to hear of it. */
  failure: Error | undefined;
}

const WORKER = new URL("../shard/task-worker.js", import.meta.url);
/** How long a thread is kept that has nothing to do. */
const IDLE_MS = 30_000;

/** The tasks of a server. */
export class TaskPool {
  readonly #options: ResolvedOptions;
  readonly #logger: Logger;
  readonly #jobs = new Map<TaskOwner, Map<number, Job>>();
  // A set, for its order: the first is the next.
  readonly #waiting = new Set<Job>();
  readonly #running = new Set<Job>();
  #pool: Piscina | undefined;
  /** Those before, that still run something. */
  readonly #oldPools = new Set<Piscina>();
  #isClosed = false;

  constructor(options: ResolvedOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
  }

  /** Takes a message of a shard. */
  take(owner: TaskOwner, message: TaskMessage): void {
    if (message.kind === "taskCancel") this.#cancel(this.#jobs.get(owner)?.get(message.id));
    else this.#accept(owner, message);
  }

  /** Cancels all tasks of a shard that has ended. */
  forget(owner: TaskOwner): void {
    for (const job of this.#jobs.get(owner)?.values() ?? []) this.#cancel(job);
  }

  /** Has later tasks run in new threads, which load their module anew. What runs goes on. */
  renew(): void {
    const old = this.#pool;
    if (!old) return;
    this.#pool = undefined;
    this.#oldPools.add(old);
    this.#endIfIdle(old);
  }

  /** Ends the pools, whatever runs in them. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const owner of this.#jobs.keys()) this.forget(owner);
    const pools = [...this.#oldPools, ...(this.#pool ? [this.#pool] : [])];
    await Promise.all(pools.map(async (pool) => pool.destroy()));
  }

  #accept(owner: TaskOwner, request: TaskRequest): void {
    const { taskThreads, maxTaskQueue } = this.#options;
    const refuse = (error: Error): void => {
      owner.send({ kind: "taskFailed", id: request.id, error: reportOf(error) });
    };
    if (this.#isClosed) {
      refuse(makeError("SIM_ERR_SERVER_CLOSED", "server must be open to run a task, got closed"));
      return;
    }
    const isFree = this.#running.size < taskThreads;
    if (!isFree && this.#waiting.size >= maxTaskQueue) {
      const message = `at most ${maxTaskQueue} (tasks) may wait for a thread, got one more: ${JSON.stringify(request.name)}`;
      refuse(makeError("SIM_ERR_TASK_QUEUE_FULL", message));
      return;
    }
    const job: Job = {
      owner,
      request,
      abort: new AbortController(),
      timer: undefined,
      pool: undefined,
      isCancelled: false,
      failure: undefined,
    };
    const jobs = this.#jobs.get(owner) ?? new Map<number, Job>();
    this.#jobs.set(owner, jobs.set(request.id, job));
    if (isFree) void this.#run(job);
    else this.#waiting.add(job);
  }

  async #run(job: Job): Promise<void> {
    const { module, name, input, transfer, id } = job.request;
    this.#running.add(job);
    job.timer = setTimeout(() => this.#expire(job), this.#options.taskTimeoutMs);
    const call: TaskCall = { module, name, input };
    let answer: TaskAnswer;
    try {
      this.#pool ??= this.#makePool();
      job.pool = this.#pool;
      const outcome = (await job.pool.run(call, {
        transferList: [...transfer],
        signal: job.abort.signal,
      })) as TaskOutcome;
      answer =
        outcome.kind === "done"
          ? { kind: "taskDone", id, result: outcome.result }
          : { kind: "taskFailed", id, error: outcome.error };
    } catch (error) {
      // It was aborted, its thread ended under it, or its result could not be cloned.
      answer = { kind: "taskFailed", id, error: reportOf(job.failure ?? error) };
    }
    this.#running.delete(job);
    if (job.pool && job.pool !== this.#pool) this.#endIfIdle(job.pool);
    this.#finish(job, answer);
  }

  #finish(job: Job, answer: TaskAnswer): void {
    clearTimeout(job.timer);
    this.#drop(job);
    if (!job.isCancelled) {
      try {
        job.owner.send(answer);
      } catch (error) {
        // What came from one thread may not go on to another: a port, for example.
        const { id } = answer;
        job.owner.send({ kind: "taskFailed", id, error: reportOf(error) });
      }
    }
    const [next] = this.#waiting;
    if (!next || this.#isClosed) return;
    this.#waiting.delete(next);
    void this.#run(next);
  }

  #expire(job: Job): void {
    const { name } = job.request;
    const limitMs = this.#options.taskTimeoutMs;
    job.failure = makeError(
      "SIM_ERR_TASK_TIMEOUT",
      `task ${JSON.stringify(name)} must be done within ${limitMs} (ms)`,
    );
    job.abort.abort();
  }

  #cancel(job: Job | undefined): void {
    if (!job) return;
    job.isCancelled = true;
    if (this.#waiting.delete(job)) this.#drop(job);
    else job.abort.abort();
  }

  #drop({ owner, request }: Job): void {
    const jobs = this.#jobs.get(owner);
    jobs?.delete(request.id);
    if (jobs?.size === 0) this.#jobs.delete(owner);
  }

  #endIfIdle(old: Piscina): void {
    if ([...this.#running].some(({ pool }) => pool === old)) return;
    if (this.#oldPools.delete(old)) void old.destroy();
  }

  #makePool(): Piscina {
    const pool = makePiscina({
      filename: WORKER.href,
      name: "runTask",
      minThreads: 1,
      maxThreads: this.#options.taskThreads,
      idleTimeout: IDLE_MS,
      // Else an idle thread blocks its loop, and what a task left open there stands still.
      atomics: "disabled",
      recordTiming: false,
    });
    pool.on("error", (error) => this.#logger.log("taskThreadFailed", { err: error }));
    return pool;
  }
}
