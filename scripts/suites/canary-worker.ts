/**
 * The entry of the canaries' thread: one canary for each shard, and reports on request.
 *
 * Runs on: a worker of its own.
 */

import { parentPort, workerData } from "node:worker_threads";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Canary, type CanaryReport } from "./canary.ts";

/** Passed to the thread. */
export interface CanaryWorkerData {
  readonly port: number;
  readonly shards: number;
  readonly everyMs: number;
}

/** The answer to a request for a report. */
export interface CanaryWorkerReport {
  readonly reports: readonly CanaryReport[];
  /** How late the thread itself was in the worst 1 % of its turns. */
  readonly ownLatenessMs: number;
}

/** A request: a report, after stopping if `stop` is set. */
export interface CanaryRequest {
  readonly deadlineMs: number;
  readonly stop: boolean;
}

const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

const { port, shards, everyMs } = workerData as CanaryWorkerData;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
const canaries: Canary[] = [];
for (let shard = 0; shard < shards; shard++) {
  canaries.push(await Canary.start(port, shard, everyMs));
}

parentPort?.on("message", ({ deadlineMs, stop }: CanaryRequest) => void answer(deadlineMs, stop));
parentPort?.postMessage("ready");

async function answer(deadlineMs: number, stop: boolean): Promise<void> {
  if (stop) await Promise.all(canaries.map((canary) => canary.stop(deadlineMs)));
  const report: CanaryWorkerReport = {
    reports: canaries.map((canary) => canary.report(stop ? 0 : deadlineMs)),
    ownLatenessMs: Math.max(0, delay.percentile(99) / NS_PER_MS - RESOLUTION_MS),
  };
  delay.reset();
  parentPort?.postMessage(report);
  if (stop) parentPort?.close();
}
