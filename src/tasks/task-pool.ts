/**
 * The pool of threads that runs the CPU-bound work of all shards.
 *
 *   waiting --a thread is free--> running --done, failed--> answered
 *      |                             |
 *      +-- cancelled                 +-- cancelled or timed out (answered with an error)
 *      v                             v
 *     gone                        stopping --returns--> gone
 *                                    |
 *                                    +--keeps running--> its thread is terminated
 *
 * The pool is created for the first task. It is never given more tasks than it has threads. All
 * other tasks wait here, in order of arrival. So `maxTaskQueue` and `taskTimeoutMs` are exact, and
 * a waiting task can be cancelled at once.
 *
 * Runs on: main.
 * Full: if `maxTaskQueue` tasks are already waiting, a new task is refused immediately.
 */

import { reportOf } from "../error-report.ts";
import { makeError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import { makeTaskFlagMemory, TaskFlag } from "../memory/task-flag.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { threadFile } from "../package-copy.ts";
import { telemetry } from "../telemetry.ts";
import type { OutputQueue } from "../output/output-queue.ts";
import { workerFlags } from "../memory/worker-flags.ts";
import { makePiscina, type Piscina } from "./piscina.ts";
import type {
  HandedOver,
  TaskAnswer,
  TaskCall,
  TaskMessage,
  TaskOutcome,
  TaskRequest,
} from "./task-messages.ts";
import { isTaskOutput } from "./task-output.ts";

/** A shard's thread, which requests tasks and receives their answers. */
export interface TaskOwner {
  readonly shard: number;
  send(answer: TaskAnswer, transfer: readonly HandedOver[]): void;
}

type TaskEnd = "done" | "failed" | "cancelled" | "refused" | "timeout";

interface Job {
  readonly owner: TaskOwner;
  readonly request: TaskRequest;
  readonly flag: SharedArrayBuffer;
  /** Terminates the thread that runs the task. */
  readonly abort: AbortController;
  readonly givenMs: number;
  begunMs: number;
  /**
   * Fires when the task reaches its time limit. After the task was told to stop, fires when its
   * thread must be terminated.
   */
  timer: NodeJS.Timeout | undefined;
  /** The pool that runs the task. */
  pool: Piscina | undefined;
  /** How the task ended. Set as soon as its owner is not waiting any longer. */
  end: TaskEnd | undefined;
}

const WORKER = "./task-worker.js";
/** Time after which an idle thread ends (ms). */
const IDLE_MS = 30_000;
/** Time in which a cancelled task that checks for cancellation must stop (ms). */
const GRACE_MS = 1_000;
/**
 * Time in which a cancelled task that does not check for it may finish (ms). It may be nearly done,
 * and a new thread costs about as much CPU time. So a client that repeatedly requests a task and
 * leaves causes at most twice the work.
 */
const REMAINDER_MS = 200;
/** The counter for each way in which a task can end. */
const COUNTER_OF: Readonly<Record<TaskEnd, number>> = {
  done: COUNTER.tasksDone,
  failed: COUNTER.tasksFailed,
  cancelled: COUNTER.tasksCancelled,
  refused: COUNTER.tasksRefused,
  timeout: COUNTER.tasksTimedOut,
};

/** The tasks of a server. */
export class TaskPool {
  readonly #options: ResolvedOptions;
  readonly #counters: Counters;
  readonly #logger: Logger;
  readonly #output: Pick<OutputQueue, "write" | "dropped">;
  readonly #jobs = new Map<TaskOwner, Map<number, Job>>();
  // A set keeps its insertion order, so the first job is the next to run.
  readonly #waiting = new Set<Job>();
  readonly #running = new Set<Job>();
  #pool: Piscina | undefined;
  /** Pools from before `renew` that are still running tasks. */
  readonly #oldPools = new Set<Piscina>();
  #isClosed = false;

  /**
   * @param counters - counters of main
   * @param output - takes what tasks print
   */
  constructor(
    options: ResolvedOptions,
    counters: Counters,
    logger: Logger,
    output: Pick<OutputQueue, "write" | "dropped">,
  ) {
    this.#options = options;
    this.#counters = counters;
    this.#logger = logger;
    this.#output = output;
  }

  /** Handles a message from a shard. */
  take(owner: TaskOwner, message: TaskMessage): void {
    if (message.kind === "taskCancel") this.#cancel(this.#jobs.get(owner)?.get(message.id));
    else this.#accept(owner, message);
  }

  /** Cancels all tasks of a shard that has ended. */
  forget(owner: TaskOwner): void {
    for (const job of this.#jobs.get(owner)?.values() ?? []) this.#cancel(job);
  }

  /** Runs later tasks in new threads, which reload the tasks module. Running tasks continue. */
  renew(): void {
    const old = this.#pool;
    if (!old) return;
    this.#pool = undefined;
    this.#oldPools.add(old);
    this.#endIfIdle(old);
  }

  /** Terminates all threads, even if they are running tasks. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const owner of this.#jobs.keys()) this.forget(owner);
    const pools = [...this.#oldPools, ...(this.#pool ? [this.#pool] : [])];
    await Promise.all(pools.map(async (pool) => pool.destroy()));
  }

  #accept(owner: TaskOwner, request: TaskRequest): void {
    const { taskThreads, maxTaskQueue } = this.#options;
    const nowMs = performance.now();
    const job: Job = {
      owner,
      request,
      flag: makeTaskFlagMemory(),
      abort: new AbortController(),
      givenMs: nowMs,
      begunMs: nowMs,
      timer: undefined,
      pool: undefined,
      end: undefined,
    };
    const isFree = this.#running.size < taskThreads;
    if (this.#isClosed) {
      const message = "server must be open to run a task, got closed";
      this.#refuse(job, makeError("SIM_ERR_SERVER_CLOSED", message));
    } else if (!isFree && this.#waiting.size >= maxTaskQueue) {
      const message = `at most ${maxTaskQueue} (tasks) may wait for a thread, got one more: ${JSON.stringify(request.name)}`;
      this.#refuse(job, makeError("SIM_ERR_TASK_QUEUE_FULL", message));
    } else {
      const jobs = this.#jobs.get(owner) ?? new Map<number, Job>();
      this.#jobs.set(owner, jobs.set(request.id, job));
      if (isFree) void this.#run(job);
      else this.#waiting.add(job);
      this.#count();
    }
  }

  #refuse(job: Job, error: Error): void {
    job.end = "refused";
    this.#fail(job, error);
    this.#ended(job, job.givenMs);
  }

  async #run(job: Job): Promise<void> {
    const { module, name, input, transfer } = job.request;
    this.#running.add(job);
    job.timer = setTimeout(() => this.#expire(job), this.#options.taskTimeoutMs);
    const call: TaskCall = { module, name, input, flag: job.flag };
    try {
      this.#pool ??= this.#makePool();
      job.pool = this.#pool;
      const outcome = (await job.pool.run(call, {
        transferList: [...transfer],
        signal: job.abort.signal,
      })) as TaskOutcome;
      this.#settle(job, outcome);
    } catch (error) {
      // The job was aborted, its thread ended, or its result could not be cloned.
      this.#settle(job, { kind: "failed", error: reportOf(error) });
    }
    clearTimeout(job.timer);
    this.#running.delete(job);
    if (job.pool && job.pool !== this.#pool) this.#endIfIdle(job.pool);
    const [next] = this.#waiting;
    if (next && !this.#isClosed) {
      this.#waiting.delete(next);
      next.begunMs = performance.now();
      void this.#run(next);
    }
    this.#ended(job, performance.now());
  }

  /** Sends the outcome of a task to its owner, if the owner is still waiting. */
  #settle(job: Job, outcome: TaskOutcome): void {
    if (job.end !== undefined) return;
    this.#drop(job);
    const { id } = job.request;
    job.end = outcome.kind;
    if (outcome.kind === "failed") {
      job.owner.send({ kind: "taskFailed", id, error: outcome.error }, []);
      return;
    }
    const { result, transfer } = outcome;
    try {
      job.owner.send({ kind: "taskDone", id, result, transfer }, transfer);
    } catch (error) {
      // Some values, such as a MessagePort, cannot be posted a second time.
      job.end = "failed";
      this.#fail(job, error);
    }
  }

  #fail({ owner, request }: Job, error: unknown): void {
    owner.send({ kind: "taskFailed", id: request.id, error: reportOf(error) }, []);
  }

  #expire(job: Job): void {
    const { name } = job.request;
    const limitMs = this.#options.taskTimeoutMs;
    const message = `task ${JSON.stringify(name)} must be done within ${limitMs} (ms)`;
    this.#fail(job, makeError("SIM_ERR_TASK_TIMEOUT", message));
    this.#stop(job, "timeout");
  }

  #cancel(job: Job | undefined): void {
    if (!job) return;
    if (!this.#waiting.delete(job)) {
      this.#stop(job, "cancelled");
      return;
    }
    this.#drop(job);
    job.end = "cancelled";
    job.begunMs = performance.now();
    this.#ended(job, job.begunMs);
  }

  /** Stops a running task. Its outcome will not be sent to its owner. */
  #stop(job: Job, end: TaskEnd): void {
    job.end = end;
    this.#drop(job);
    clearTimeout(job.timer);
    const listens = new TaskFlag(job.flag).cancel();
    // A task that timed out and does not check for cancellation is terminated immediately.
    if (end === "timeout" && !listens) job.abort.abort();
    else job.timer = setTimeout(() => job.abort.abort(), listens ? GRACE_MS : REMAINDER_MS);
  }

  #ended({ owner, request, givenMs, begunMs, end = "failed" }: Job, endMs: number): void {
    const waitMs = begunMs - givenMs;
    const runMs = endMs - begunMs;
    this.#counters.add(COUNTER_OF[end]);
    this.#counters.add(COUNTER.tasksWaitedMs, waitMs);
    this.#counters.add(COUNTER.tasksRanMs, runMs);
    this.#count();
    const { task_ended: event } = telemetry;
    if (!event.hasSubscribers) return;
    event.publish({ name: request.name, shard: owner.shard, waitMs, runMs, outcome: end });
  }

  #count(): void {
    this.#counters.set(COUNTER.tasksWaiting, this.#waiting.size);
    this.#counters.set(COUNTER.tasksRunning, this.#running.size);
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
      filename: threadFile(WORKER, import.meta.url).href,
      name: "runTask",
      minThreads: 1,
      maxThreads: this.#options.taskThreads,
      idleTimeout: IDLE_MS,
      // With other values, an idle thread blocks its event loop, which stops the tasks' timers and
      // sockets.
      atomics: "disabled",
      recordTiming: false,
      ...workerFlags(),
    });
    pool.on("error", (error) => this.#logger.log("taskThreadFailed", { err: error }));
    pool.on("message", (message) => {
      if (!isTaskOutput(message)) return;
      const { stream, text, dropped } = message;
      if (dropped > 0) this.#output.dropped(stream, dropped);
      this.#output.write(stream, text);
    });
    return pool;
  }
}
