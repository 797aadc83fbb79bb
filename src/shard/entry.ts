/**
 * Entry point of a shard's thread: starts the shard and handles messages from main.
 *
 * Runs on: shard.
 * Order: the engine's app is always closed before the thread ends. Otherwise the engine would abort the
 *        process (see src/README.md).
 */

import { parentPort, workerData } from "node:worker_threads";

import type { HandedOver } from "../channel/tasks/tasks.ts";
import { makeError } from "../errors.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { Counters } from "../memory/counters.ts";
import { Life } from "../memory/life.ts";
import { captureOutput } from "../output/captured-output.ts";
import { OutputQueue } from "../output/output-queue.ts";
import { makeQueueLogger } from "../output/queue-logger.ts";
import { serveWithThisCopy } from "../package-copy.ts";
import { loadEngine } from "../transport/engine/engine.ts";
import { loadAppModule } from "../app/app-module.ts";
import type {
  DrainPace,
  FigureName,
  ListenMessage,
  MainMessage,
  MemberMessage,
  ShardWorkerData,
} from "./control.ts";
import { allowEnds } from "./forced-end.ts";
import {
  isEndpoint,
  keptPatternsOf,
  servedPathsOf,
  type EndpointDefinition,
} from "../endpoint/endpoint.ts";
import { outgoingSchemasOf } from "../endpoint/outgoing-schemas.ts";
import { reportOf } from "../error-report.ts";
import type { Question } from "./introspection.ts";
import { Shard } from "./shard.ts";
import { TaskClient } from "../tasks/task-client.ts";

/** Time that a shard that ends by itself waits for main to remove it from the rotation. */
const RELEASE_MS = 1_000;
/**
 * Time in which sockets arrive that main dealt to this shard while it was in the rotation. The engine
 * aborts the process if one of them sends a request to a thread that no longer runs JavaScript.
 */
const ARRIVAL_MS = 100;

const start = workerData as ShardWorkerData;
const life = new Life(start.memory.life);
const counters = new Counters(start.memory.counters, start.member);
const queue = new OutputQueue(start.output, start.member, counters);
let logger = makeQueueLogger(queue, start.options);
let shard: Shard | undefined;
let tasks: TaskClient | undefined;
let isClosed = false;
/** What follows when the app is closed; undefined unless it is being closed. */
let onAppClosed: (() => void) | undefined;
/** What main has asked for that may not be complete. */
const asked: { pace: DrainPace | undefined; cut: boolean; finish: boolean } = {
  pace: undefined,
  cut: false,
  finish: false,
};
/** Thrown by `process.exit`, so that the code that called it does not go on. */
let exitCall: Error | undefined;
/** Whether main regards the thread as ended, and gets no more answers from it. */
let hasLeft = false;

captureOutput(queue);
process.on("uncaughtException", (error) => {
  // `undefined` can be thrown too, and then it is not the call of an exit.
  if (exitCall !== undefined && error === exitCall) return;
  counters.add(COUNTER.uncaught);
  logger.log("uncaught", { shard: start.shard, err: error });
});
guardExit();
allowEnds(recover);
void life.stopped().then(closeUnasked);
parentPort?.on("message", (message: MainMessage) => void handleMain(message));

try {
  await startShard();
} catch (error) {
  tell({ kind: "failed", error: reportOf(error) });
  closeNow();
}

/** Starts the shard. If main stops it meanwhile, this returns early and the thread ends. */
async function startShard(): Promise<void> {
  serveWithThisCopy();
  const endpoint = endpointOf(await loadAppModule(start.app));
  if (isClosed) return;
  const { logger: sink, filterParameters } = endpoint;
  if (sink || filterParameters) {
    logger = makeQueueLogger(queue, start.options, { sink, filter: filterParameters });
  }
  tasks = new TaskClient(endpoint.tasks?.href, tell);
  const onRotation = (isIn: boolean): void => tell({ kind: "rotation", isIn });
  const onFigure = (named: FigureName): void => tell({ kind: "figure", named });
  const engine = await loadEngine(start.engine);
  if (isClosed) return;
  shard = new Shard({ start, endpoint, engine, logger, tasks, onRotation, onFigure });
  await shard.start();
  if (isClosed) return;
  const outgoing = outgoingSchemasOf(endpoint);
  const kept = start.kept ?? keptPatternsOf(endpoint);
  const paths = servedPathsOf(endpoint);
  tell({ kind: "ready", descriptor: engine.descriptorOf(shard.app), outgoing, kept, paths });
}

function endpointOf(value: unknown): EndpointDefinition {
  if (isEndpoint(value)) return value;
  throw makeError(
    "SIM_ERR_APP_MODULE",
    `default export of the app module must be made by defineEndpoint, got ${typeof value} in ${start.app}`,
  );
}

async function handleMain(message: MainMessage): Promise<void> {
  if (hasLeft) return;
  switch (message.kind) {
    case "listen":
      await listen(message);
      break;
    case "drain":
      await drain(message.pace);
      break;
    case "finish":
      await finish();
      break;
    case "cut":
      cut();
      break;
    case "stop":
      closeNow();
      break;
    case "retire":
      retire(message.member, message.hasLost);
      break;
    case "ask":
      await answer(message.id, message.question);
      break;
    case "kept":
      break;
    default:
      tasks?.settle(message);
  }
}

async function listen(message: ListenMessage): Promise<void> {
  if (message.at === undefined) {
    shard?.stopListening(message.isFull);
    return;
  }
  const isListening = shard !== undefined && (await shard.tryListen(message.at));
  tell({ kind: "listening", isListening });
}

function retire(member: number, hasLost: boolean): void {
  shard?.retire(member, hasLost);
  tell({ kind: "retired", member });
}

async function drain(pace: DrainPace): Promise<void> {
  asked.pace = pace;
  if (!shard) return;
  const counts = await shard.drain(pace);
  asked.pace = undefined;
  tell({ kind: "drained", drain: counts });
}

function cut(): void {
  asked.cut = true;
  shard?.cut();
  asked.cut = false;
}

async function finish(): Promise<void> {
  asked.finish = true;
  await shard?.finish();
  asked.finish = false;
  tell({ kind: "finished" });
}

/**
 * Continues after main has ended what this thread ran, since what had called that does not go on. May be ended itself, and
 * is then called again.
 */
function recover(): void {
  // Otherwise main could end this, too, before the next beat.
  life.beat(start.member);
  if (onAppClosed) {
    abandon();
    return;
  }
  shard?.recover();
  if (asked.cut) cut();
  if (asked.pace) void drain(asked.pace);
  if (asked.finish) void finish();
}

async function answer(id: number, question: Question): Promise<void> {
  if (shard) tell({ kind: "answer", id, answer: await shard.answer(question) });
}

/** Closes the app when main has removed this shard from the rotation long ago. */
function closeNow(): void {
  closeApp(() => {
    life.close(start.member);
    parentPort?.close();
  });
}

/** Closes the app while sockets are on their way. Main may end the process as soon as it knows. */
function closeUnasked(): void {
  closeApp(() => setTimeout(() => life.close(start.member), ARRIVAL_MS));
}

/** @param closed - called when it is closed, also if it was closed before */
function closeApp(closed: () => void): void {
  if (onAppClosed) {
    const first = onAppClosed;
    onAppClosed = (): void => {
      first();
      closed();
    };
    return;
  }
  if (isClosed) {
    closed();
    return;
  }
  isClosed = true;
  onAppClosed = closed;
  // Clients without unsent bytes still get the code that tells them to reconnect.
  shard?.cut();
  tasks?.close();
  shard?.close();
  appClosed();
}

/** Closes the app without user code, after main has ended what `closeApp` had called. */
function abandon(): void {
  tasks?.close();
  shard?.abandon();
  appClosed();
}

function appClosed(): void {
  logger.reportSuppressed();
  const closed = onAppClosed;
  onAppClosed = undefined;
  closed?.();
}

/**
 * Replaces `process.exit`, which would end this thread while the engine's app is open. The app is closed
 * at once; the thread ends when no more sockets arrive.
 */
function guardExit(): void {
  const exitThread = process.exit.bind(process);
  process.exit = (code): never => {
    if (exitCall === undefined) {
      exitCall = new Error(`process.exit(${String(code ?? process.exitCode ?? 0)})`);
      logger.log("exitInShard", { shard: start.shard, err: exitCall });
      tell({ kind: "leaving" });
      hasLeft = true;
      life.waitReleased(start.member, RELEASE_MS);
      closeApp(() => {
        setTimeout(() => {
          life.close(start.member);
          exitThread(code);
        }, ARRIVAL_MS);
      });
    }
    throw exitCall;
  };
}

function tell(message: MemberMessage, transfer: readonly HandedOver[] = []): void {
  if (!hasLeft) parentPort?.postMessage(message, transfer as readonly ArrayBuffer[]);
}
