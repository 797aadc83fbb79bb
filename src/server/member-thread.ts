/**
 * One worker thread, a shard's or the link's, as main sees it.
 *
 *   starting --ready--> serving --drain--> draining --finish--> finishing --stop--> stopped
 *      |                   |                  |                     |
 *      +------ failed, or the thread ended ---+---------------------+--> ended
 *
 * Runs on: main.
 */

import { once } from "node:events";
import { Worker, type ResourceLimits } from "node:worker_threads";

import { makeError } from "../errors.ts";
import { readCounters } from "../memory/counters.ts";
import type { OutgoingSchemas } from "../endpoint/outgoing-schemas.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type {
  AnswerMessage,
  DrainPace,
  LinkStart,
  MainMessage,
  MemberMessage,
  ShardDrain,
  ShardStart,
} from "../shard/control.ts";
import type { HandedOver, TaskMessage } from "../tasks/task-messages.ts";
import { errorOf } from "../error-report.ts";
import type { MemberStats } from "./member-stats.ts";
import { within } from "./time-limit.ts";

/** What a thread tells its supervisor. */
export interface MemberThreadEvents {
  /** It will end, and must be taken out of the deal first. */
  onLeaving(thread: MemberThread): void;
  /** It is overloaded, and must be taken out of the deal; or it has recovered. */
  onDeal(thread: MemberThread, isIn: boolean): void;
  /** It forgot a member. */
  onRetired(thread: MemberThread, member: number): void;
  /** It has a task for the pool, or ends one. */
  onTask(thread: MemberThread, message: TaskMessage): void;
  /** It answers a question. */
  onAnswer(thread: MemberThread, message: AnswerMessage): void;
  /** It ended. */
  onExit(thread: MemberThread): void;
}

/** A worker thread that is a member of the exchange. */
export class MemberThread {
  readonly member: number;
  /** Index of the shard; -1 for the link. */
  readonly shard: number;
  /** What messages call it. */
  readonly name: string;
  readonly #options: ResolvedOptions;
  readonly #counters: SharedArrayBuffer;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #waiting = new Map<MemberMessage["kind"], (message: MemberMessage) => void>();
  #drained: Promise<MemberMessage> | undefined;
  #finished: Promise<MemberMessage> | undefined;
  descriptor: number | undefined;
  /** What its app declares of the events that channels send. */
  outgoing: readonly (readonly OutgoingSchemas[])[] = [];
  hasEnded = false;
  /** True while it is overloaded, and wants no new connections. */
  isWithdrawn = false;
  /** True where it did not drain in time: nobody waits for it to finish. */
  isLate = false;
  /** What ended the thread, where it was an error outside all nets. */
  failure: unknown = undefined;

  constructor(entry: URL, start: ShardStart | LinkStart, events: MemberThreadEvents) {
    this.member = start.member;
    this.shard = "shard" in start ? start.shard : -1;
    this.#counters = start.memory.counters;
    this.name = this.shard < 0 ? "link" : `shard ${this.shard}`;
    this.#options = start.options;
    this.#worker = new Worker(entry, {
      workerData: start,
      name: `simurgh ${this.name}`,
      resourceLimits: this.shard < 0 ? {} : limitsOf(start.options),
    });
    this.#worker.on("message", (message: MemberMessage) => {
      if (message.kind === "leaving") events.onLeaving(this);
      if (message.kind === "deal") events.onDeal(this, message.isIn);
      if (message.kind === "retired") events.onRetired(this, message.member);
      if (message.kind === "task" || message.kind === "taskCancel") events.onTask(this, message);
      if (message.kind === "answer") events.onAnswer(this, message);
      this.#waiting.get(message.kind)?.(message);
    });
    this.#worker.on("error", (error) => {
      this.failure = error;
    });
    this.#exited = this.#watchExit(events);
  }

  async #watchExit(events: MemberThreadEvents): Promise<void> {
    await once(this.#worker, "exit");
    this.hasEnded = true;
    events.onExit(this);
  }

  /**
   * Resolves when the thread serves.
   *
   * @throws what made it fail, or SIM_ERR_SHARD_START where it ended without a word, or is not
   *   ready within `startTimeoutMs`
   */
  async ready(): Promise<void> {
    const ready = this.#next("ready");
    const failed = this.#next("failed");
    const { startTimeoutMs } = this.#options;
    const settled = Promise.race([ready, failed, this.#exited]);
    if (!(await within(startTimeoutMs, settled))) {
      const text = `${this.name} must be ready within ${startTimeoutMs} (ms) of its start`;
      throw makeError("SIM_ERR_SHARD_START", text);
    }
    const message = await settled;
    if (message?.kind === "ready") {
      this.descriptor = message.descriptor;
      this.outgoing = message.outgoing;
      return;
    }
    if (message?.kind === "failed") throw errorOf(message.error);
    throw makeError("SIM_ERR_SHARD_START", `${this.name} ended before it was ready`, {
      cause: this.failure,
    });
  }

  /** Open connections, as far as it has counted. */
  get connections(): number {
    return this.stats().connections;
  }

  /** Reads its counters. */
  stats(): MemberStats {
    return readCounters(this.#counters, this.member);
  }

  /**
   * Has it close its connections and end its channels; gives what there was when it has, or
   * undefined where the thread ends first. Called again, it goes on at the new pace.
   */
  async drain(pace: DrainPace): Promise<ShardDrain | undefined> {
    this.#drained ??= this.#next("drained");
    this.send({ kind: "drain", pace });
    const message = await Promise.race([this.#drained, this.#exited]);
    return message?.kind === "drained" ? message.drain : undefined;
  }

  /** Has it run the app's `stop`; resolves when it has, or has ended. */
  async finish(): Promise<void> {
    this.#finished ??= this.#next("finished");
    this.send({ kind: "finish" });
    await Promise.race([this.#finished, this.#exited]);
  }

  /** Resolves when the thread has ended. */
  async exited(): Promise<void> {
    await this.#exited;
  }

  send(message: MainMessage, transfer: readonly HandedOver[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  /** Ends the thread whatever it does. Its app must be closed. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  /** Lets the process end while the thread still runs. */
  abandon(): void {
    this.#worker.unref();
  }

  async #next(kind: MemberMessage["kind"]): Promise<MemberMessage> {
    return new Promise((resolve) => {
      this.#waiting.set(kind, resolve);
    });
  }
}

// What an idle connection holds was garbage once: in a large young generation it lies there for
// long, in many pages that stay resident.
function limitsOf({ youngGenerationMb, oldGenerationMb }: ResolvedOptions): ResourceLimits {
  return {
    maxYoungGenerationSizeMb: youngGenerationMb,
    maxOldGenerationSizeMb: oldGenerationMb,
  };
}
