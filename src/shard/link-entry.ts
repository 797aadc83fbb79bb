/**
 * Entry point of the link's thread: creates the adapter, starts the link, handles messages from
 * main.
 *
 * Runs on: link.
 */

import { parentPort, workerData } from "node:worker_threads";

import { reportOf } from "../error-report.ts";
import { makeError } from "../errors.ts";
import { watchBuffers } from "../memory/buffer-watch.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { Counters } from "../memory/counters.ts";
import { Life } from "../memory/life.ts";
import { captureOutput } from "../output/captured-output.ts";
import { OutputQueue } from "../output/output-queue.ts";
import { makeQueueLogger } from "../output/queue-logger.ts";
import type { Adapter } from "../pubsub/adapter.ts";
import { Keeping } from "../pubsub/keeping.ts";
import { KeptTopics, type KeptPatterns } from "../pubsub/kept-topics.ts";
import { Link } from "../pubsub/link.ts";
import { Member } from "../pubsub/member.ts";
import type { LinkStart, MainMessage, MemberMessage } from "./control.ts";

const {
  memory,
  output,
  options,
  member: number,
  adapter: spec,
  kept,
  isReplacement,
} = workerData as LinkStart;
const counters = new Counters(memory.counters, number);
const queue = new OutputQueue(output, number, counters);
const logger = makeQueueLogger(queue, options);
const member = new Member({ memory, member: number, counters, logger, options });

captureOutput(queue);
process.on("uncaughtException", (error) => {
  counters.add(COUNTER.uncaught);
  logger.log("uncaught", { thread: "link", err: error });
});
// The link has no engine: main does not need to wait for it before the process exits.
new Life(memory.life).close(number);

try {
  const link = new Link(member, await makeAdapter());
  if (kept) keep(link, kept);
  await link.start(isReplacement);
  watchBuffers({
    memory: memory.buffers,
    member: number,
    counters,
    logger,
    maxBufferBytes: options.maxBufferBytes,
    sources: [member.exchange],
  });
  parentPort?.on("message", (message: MainMessage) => void handleMain(link, message));
  tell({ kind: "ready", descriptor: 0, outgoing: [], kept: [] });
} catch (error) {
  tell({ kind: "failed", error: reportOf(error) });
}

async function makeAdapter(): Promise<Adapter> {
  const module: unknown = await import(spec.module);
  if (typeof module === "object" && module !== null && "makeAdapter" in module) {
    const { makeAdapter: make } = module;
    if (typeof make === "function") return make(spec.options) as Adapter;
  }
  throw makeError(
    "SIM_ERR_DEFINITION_INVALID",
    `adapter's module must export makeAdapter, got none in ${spec.module}`,
  );
}

function keep(link: Link, patterns: KeptPatterns): void {
  const topics = new KeptTopics(patterns);
  if (!topics.isEmpty) link.keep(new Keeping(member, topics, options));
}

async function handleMain(link: Link, message: MainMessage): Promise<void> {
  if (message.kind === "kept") {
    keep(link, message.kept);
    tell({ kind: "keeping" });
  }
  if (message.kind === "retire") {
    member.retire(message.member, message.hasLost);
    tell({ kind: "retired", member: message.member });
  } else if (message.kind === "stop") {
    await link.stop();
    parentPort?.close();
  }
}

function tell(message: MemberMessage): void {
  parentPort?.postMessage(message);
}
