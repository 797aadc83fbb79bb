/**
 * Main's handle on a worker thread: a shard, the link or a keeper.
 *
 *   starting --ready--> serving --drain--> draining --finish--> finishing --stop--> stopped
 *      |                   |                  |                     |
 *      +------ failed, or the thread ended ---+---------------------+--> ended
 *
 * Runs on: main.
 */

import { MessageChannel, Worker, type ResourceLimits } from "node:worker_threads";

import { makeError } from "../errors.ts";
import { readCounters } from "../memory/counters.ts";
import { Figures } from "../memory/figures.ts";
import type { OutgoingSchemas } from "../endpoint/outgoing-schemas.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type {
  FigureName,
  AnswerMessage,
  DrainPace,
  KeeperStart,
  LinkStart,
  MainMessage,
  MemberMessage,
  ShardDrain,
  ShardThreadStart,
  ShardWorkerData,
} from "../shard/control.ts";
import type { KeptPatterns } from "../pubsub/kept-topics.ts";
import type { HandedOver, TaskMessage } from "../tasks/task-messages.ts";
import { errorOf } from "../error-report.ts";
import { workerFlags } from "../memory/worker-flags.ts";
import type { ListeningPlace, ListeningThread } from "../transport/engine/listener-port.ts";
import type { MemberStats } from "./member-stats.ts";
import type { ThreadFigure } from "./transport-stats.ts";
import { within } from "./time-limit.ts";

/** Receives the events of a thread; implemented by the supervisor. */
export interface MemberThreadEvents {
  /** The thread is about to end, and must be removed from the rotation first. */
  onLeaving(thread: MemberThread): void;
  /** The thread is overloaded and must be removed from the rotation, or it has recovered. */
  onRotation(thread: MemberThread, isIn: boolean): void;
  /** The thread has forgotten a member. */
  onRetired(thread: MemberThread, member: number): void;
  /** The thread submits a task to the pool, or cancels one. */
  onTask(thread: MemberThread, message: TaskMessage): void;
  /** The thread answers a question. */
  onAnswer(thread: MemberThread, message: AnswerMessage): void;
  /** The thread of a shard is gone, without `onExit` and whether or not its app is closed. */
  onGone(thread: MemberThread): void;
  /** The thread has ended. */
  onExit(thread: MemberThread): void;
}

/** A worker thread that is a member of the exchange. */
export class MemberThread implements ListeningThread {
  readonly member: number;
  /** Index of the shard; -1 for the link and for keepers of histories. */
  readonly shard: number;
  readonly role: "shard" | "link" | "keeper";
  /** Digest of its certificate's files; undefined without one. */
  readonly tlsDigest: string | undefined;
  /** Name in error messages. */
  readonly name: string;
  readonly #options: ResolvedOptions;
  readonly #counters: SharedArrayBuffer;
  readonly #figures: Figures;
  readonly #figureNames: FigureName[] = [];
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #waiting = new Map<MemberMessage["kind"], (message: MemberMessage) => void>();
  #drained: Promise<MemberMessage> | undefined;
  #finished: Promise<MemberMessage> | undefined;
  /** Whether it serves, or has served. */
  isReady = false;
  descriptor: number | undefined;
  /** Schemas for the events that the app's channels send. */
  outgoing: readonly (readonly OutgoingSchemas[])[] = [];
  /** The paths of the app's WebSockets and long-polls. */
  paths: readonly string[] = [];
  /** The topics whose broadcasts are kept. */
  kept: KeptPatterns = [];
  hasEnded = false;
  /** Whether its event loop is blocked. */
  isStuck = false;
  /** Whether the thread could not be ended, so that nothing waits for it any more. */
  isAbandoned = false;
  /** Whether the thread failed to drain in time; if so, `stop` does not wait for it to finish. */
  isLate = false;
  /** The uncaught error that ended the thread, if any. */
  failure: unknown = undefined;

  constructor(
    entry: URL,
    start: ShardThreadStart | LinkStart | KeeperStart,
    events: MemberThreadEvents,
  ) {
    this.member = start.member;
    this.shard = "shard" in start ? start.shard : -1;
    this.tlsDigest = "tls" in start ? start.tls?.digest : undefined;
    this.#counters = start.memory.counters;
    this.#figures = new Figures(start.memory.figures, start.member);
    this.role = roleOf(start);
    this.name = this.role === "shard" ? `shard ${this.shard}` : NAMES[this.role];
    this.#options = start.options;
    this.#worker =
      "shard" in start ? this.#startShard(entry, start, events) : this.#startOther(entry, start);
    this.#worker.on("message", (message: MemberMessage) => {
      if (message.kind === "leaving") events.onLeaving(this);
      if (message.kind === "rotation") events.onRotation(this, message.isIn);
      if (message.kind === "figure") this.#figureNames.push(message.named);
      if (message.kind === "retired") events.onRetired(this, message.member);
      if (message.kind === "task" || message.kind === "taskCancel") events.onTask(this, message);
      if (message.kind === "answer") events.onAnswer(this, message);
      this.#waiting.get(message.kind)?.(message);
    });
    this.#worker.on("error", (error) => {
      this.failure = error;
    });
    // Not by `once` of node:events, which rejects if an error comes first.
    this.#exited = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        this.hasEnded = true;
        events.onExit(this);
        // In a later turn, so that the thread's last messages are handled before its end.
        setImmediate(resolve);
      });
    });
  }

  #startOther(entry: URL, start: LinkStart | KeeperStart): Worker {
    return new Worker(entry, {
      workerData: start,
      name: `simurgh ${this.name}`,
      ...workerFlags(),
    });
  }

  #startShard(entry: URL, start: ShardThreadStart, events: MemberThreadEvents): Worker {
    const { port1, port2 } = new MessageChannel();
    port1.on("close", () => events.onGone(this));
    port1.unref();
    const workerData: ShardWorkerData = { ...start, lifeline: port2 };
    return new Worker(entry, {
      workerData,
      transferList: [port2],
      name: `simurgh ${this.name}`,
      ...workerFlags(SHARD_FLAGS),
      resourceLimits: limitsOf(start.options),
    });
  }

  /**
   * Resolves when the thread is ready to serve.
   *
   * @throws the error that the thread failed with, or SIM_ERR_SHARD_START if it ended without an
   *   error or was not ready within `startTimeoutMs`
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
      this.isReady = true;
      this.descriptor = message.descriptor;
      this.outgoing = message.outgoing;
      this.kept = message.kept;
      this.paths = message.paths;
      return;
    }
    if (message?.kind === "failed") throw errorOf(message.error);
    throw makeError("SIM_ERR_SHARD_START", `${this.name} ended before it was ready`, {
      cause: this.failure,
    });
  }

  /** Number of the thread in the process, as the inspector knows it. */
  get threadId(): number {
    return this.#worker.threadId;
  }

  /** Number of open connections, according to the thread's counters. */
  get connections(): number {
    return this.stats().connections;
  }

  /** Reads the thread's counters. */
  stats(): MemberStats {
    return readCounters(this.#counters, this.member);
  }

  /** Reads what the thread's custom transports measure. */
  get figures(): ThreadFigure[] {
    return this.#figureNames.flatMap(({ figure, transport, name }) => {
      const value = this.#figures.get(figure);
      return value === undefined ? [] : [{ transport, name, value }];
    });
  }

  /**
   * Makes the thread close its connections and end its channels. Call it again to change the pace.
   *
   * @returns counts of what was closed, once the drain is complete; undefined if the thread ends
   *   first
   */
  async drain(pace: DrainPace): Promise<ShardDrain | undefined> {
    this.#drained ??= this.#next("drained");
    this.send({ kind: "drain", pace });
    const message = await Promise.race([this.#drained, this.#exited]);
    return message?.kind === "drained" ? message.drain : undefined;
  }

  /**
   * Makes the thread run the app's `stop`. Resolves when `stop` is done or the thread has ended.
   */
  async finish(): Promise<void> {
    this.#finished ??= this.#next("finished");
    this.send({ kind: "finish" });
    await Promise.race([this.#finished, this.#exited]);
  }

  /** Tells the link which topics are kept. Resolves when it knows, or has ended. */
  async keep(kept: KeptPatterns): Promise<void> {
    const keeping = this.#next("keeping");
    this.send({ kind: "kept", kept });
    await Promise.race([keeping, this.#exited]);
  }

  async listen(at: ListeningPlace): Promise<boolean> {
    const listening = this.#next("listening");
    this.send({ kind: "listen", at });
    const message = await Promise.race([listening, this.#exited]);
    return message?.kind === "listening" && message.isListening;
  }

  stopListening(isFull: boolean): void {
    this.send({ kind: "listen", at: undefined, isFull });
  }

  /** Resolves when the thread has ended. */
  async exited(): Promise<void> {
    await this.#exited;
  }

  send(message: MainMessage, transfer: readonly HandedOver[] = []): void {
    this.#worker.postMessage(message, transfer as readonly ArrayBuffer[]);
  }

  /**
   * Terminates the thread. Its app must be closed.
   *
   * @returns false if it does not end in time, because it runs code that cannot be interrupted
   */
  async terminate(limitMs: number): Promise<boolean> {
    return within(limitMs, this.#worker.terminate());
  }

  /** Lets the process end even if the thread is still running. */
  abandon(): void {
    this.isAbandoned = true;
    this.#worker.unref();
  }

  async #next(kind: MemberMessage["kind"]): Promise<MemberMessage> {
    return new Promise((resolve) => {
      this.#waiting.set(kind, resolve);
    });
  }
}

const NAMES = { link: "link", keeper: "history" } as const;

function roleOf(start: ShardThreadStart | LinkStart | KeeperStart): MemberThread["role"] {
  if ("shard" in start) return "shard";
  return "adapter" in start ? "link" : "keeper";
}

/**
 * Keeps a thread alive if main ends a callback that holds it: V8 unwinds the stack without leaving the
 * asynchronous contexts that were entered, and Node.js would end the process.
 */
const SHARD_FLAGS = ["--no-force-async-hooks-checks"];

// A large young generation would keep garbage from connecting and joining for a long time, spread
// over many pages that stay resident.
function limitsOf({ youngGenerationMb, oldGenerationMb }: ResolvedOptions): ResourceLimits {
  return {
    maxYoungGenerationSizeMb: youngGenerationMb,
    maxOldGenerationSizeMb: oldGenerationMb,
  };
}
