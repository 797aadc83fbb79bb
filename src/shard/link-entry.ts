/**
 * Entry point of the link's thread: creates the adapter, starts the link, handles messages from
 * main.
 *
 * Runs on: link.
 */

import { parentPort, workerData } from "node:worker_threads";

import { reportOf } from "../error-report.ts";
import { makeError } from "../errors.ts";
import type { Adapter } from "../pubsub/adapter.ts";
import { Keeping } from "../pubsub/keeping.ts";
import { KeptTopics, type KeptPatterns } from "../pubsub/kept-topics.ts";
import { Link } from "../pubsub/link.ts";
import type { LinkStart, MainMessage } from "./control.ts";
import { EnginelessThread } from "./engineless-thread.ts";

const start = workerData as LinkStart;
const { adapter: spec, options } = start;
const thread = new EnginelessThread(start, "link");
const { member } = thread;

try {
  const link = new Link(member, await makeAdapter());
  if (start.kept) keep(link, start.kept);
  await link.start(start.isReplacement);
  parentPort?.on("message", (message: MainMessage) => void handleMain(link, message));
  thread.ready();
} catch (error) {
  thread.tell({ kind: "failed", error: reportOf(error) });
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
    thread.tell({ kind: "keeping" });
  } else if (message.kind === "retire") {
    thread.retire(message.member, message.hasLost);
  } else if (message.kind === "stop") {
    await link.stop();
    parentPort?.close();
  }
}
