/**
 * Entry of the link's thread: makes the adapter, starts the link, obeys main.
 *
 * Runs on: link.
 */

import { parentPort, workerData } from "node:worker_threads";

import { makeError } from "../errors.ts";
import { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { Counters } from "../memory/counters.ts";
import { Life } from "../memory/life.ts";
import type { Adapter } from "../pubsub/adapter.ts";
import { Exchange } from "../pubsub/exchange.ts";
import { Link } from "../pubsub/link.ts";
import { SubscriptionIndex } from "../pubsub/subscription-index.ts";
import type { LinkStart, MainMessage, MemberMessage } from "./control.ts";
import { reportOf } from "../error-report.ts";

const { memory, options, member, adapter: spec, isReplacement } = workerData as LinkStart;
const logger = new Logger(options.logLevel);
const life = new Life(memory.life);
const counters = new Counters(memory.counters, member);
const index = new SubscriptionIndex(memory.index, memory.indexLayout, member);
const exchange = new Exchange({
  memory: memory.exchange,
  member,
  index,
  counters,
  overflowBytes: options.overflowBytes,
  overflowTotalBytes: options.overflowTotalBytes,
  onStall: (stall) => logger.log(stall.isStalled ? "stalled" : "stallEnded", stall),
});

process.on("uncaughtException", (error) => {
  counters.add(COUNTER.uncaught);
  logger.log("uncaught", { thread: "link", err: error });
});
// It has no connections of the engine: main need not wait for it.
life.close(member);

try {
  const link = new Link({
    adapter: await makeAdapter(),
    exchange,
    index,
    hashSeed: memory.hashSeed,
    onError: (error) => logger.log("adapterFailed", { err: error }),
    onLapped: (from, slots) =>
      logger.log("linkLapped", { from, slots: slots === "all" ? slots : slots.length }),
    onGap: () => logger.log("gap"),
    counters,
    onConnected: (address) => logger.log("linkConnected", { address }),
    onDisconnected: (address, error) => logger.log("linkDisconnected", { address, err: error }),
  });
  await link.start(isReplacement);
  parentPort?.on("message", (message: MainMessage) => void obey(link, message));
  tell({ kind: "ready", descriptor: 0 });
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

async function obey(link: Link, message: MainMessage): Promise<void> {
  if (message.kind === "retire") {
    exchange.drainFrom(message.member);
    exchange.forget(message.member);
    if (message.hasLost) link.lapped(message.member, "all");
    tell({ kind: "retired", member: message.member });
  } else if (message.kind === "stop") {
    await link.stop();
    parentPort?.close();
  }
}

function tell(message: MemberMessage): void {
  parentPort?.postMessage(message);
}
