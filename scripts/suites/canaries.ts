/**
 * Canaries in a thread of their own, and the sum of what they saw.
 *
 * Runs on: a suite's main thread; the canaries run in a worker.
 */

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { within } from "../../test/support/deadline.ts";
import { noSightings, type Sightings } from "./canary.ts";
import type { CanaryRequest, CanaryWorkerData, CanaryWorkerReport } from "./canary-worker.ts";

const EVERY_MS = 20;
/** An answer that is later than this counts as missing. */
const ANSWER_DEADLINE_MS = 30_000;
const REPORT_DEADLINE_MS = 60_000;

/** What all canaries saw during a run. */
export interface CanarySummary extends Omit<Sightings, "latencies"> {
  readonly answered: number;
  readonly unanswered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** The worst lateness of their own thread, which is part of the latencies. */
  readonly ownLatenessMs: number;
}

/** The running canaries. */
export class Canaries {
  readonly #worker: Worker;
  readonly #seen = noSightings();
  #ownLatenessMs = 0;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Starts one canary for each shard. */
  static async start(port: number, shards: number): Promise<Canaries> {
    const data: CanaryWorkerData = { port, shards, everyMs: EVERY_MS };
    const worker = new Worker(new URL("./canary-worker.js", import.meta.url), { workerData: data });
    await within(once(worker, "message"), "the canaries");
    return new Canaries(worker);
  }

  /** Collects what they saw since the last time. @returns the p99 since then, in ms */
  async collect(): Promise<number> {
    const { reports, ownLatenessMs } = await this.#ask(false);
    return this.#add(reports, ownLatenessMs);
  }

  /** Stops them. @returns what they saw in all */
  async stop(): Promise<CanarySummary> {
    const { reports, ownLatenessMs } = await this.#ask(true);
    this.#add(reports, ownLatenessMs);
    const { latencies, ...seen } = this.#seen;
    const sorted = Float64Array.from(latencies).toSorted();
    return {
      ...seen,
      answered: sorted.length,
      unanswered: reports.reduce((sum, { unanswered }) => sum + unanswered, 0),
      p50Ms: quantile(sorted, 0.5),
      p99Ms: quantile(sorted, 0.99),
      maxMs: sorted.at(-1) ?? 0,
      ownLatenessMs: this.#ownLatenessMs,
    };
  }

  async #ask(stop: boolean): Promise<CanaryWorkerReport> {
    const answer = once(this.#worker, "message") as Promise<[CanaryWorkerReport]>;
    const request: CanaryRequest = { deadlineMs: ANSWER_DEADLINE_MS, stop };
    this.#worker.postMessage(request);
    const [report] = await within(answer, "a report of the canaries", REPORT_DEADLINE_MS);
    return report;
  }

  #add(reports: CanaryWorkerReport["reports"], ownLatenessMs: number): number {
    const recent = reports.flatMap(({ latencies }) => latencies);
    for (const { faults, closes, sent, cutOff } of reports) {
      this.#seen.faults.push(...faults);
      this.#seen.closes.push(...closes);
      this.#seen.sent += sent;
      this.#seen.cutOff += cutOff;
    }
    // A spread would exceed the number of arguments that a call may have.
    for (const latency of recent) this.#seen.latencies.push(latency);
    this.#ownLatenessMs = Math.max(this.#ownLatenessMs, ownLatenessMs);
    return quantile(Float64Array.from(recent).toSorted(), 0.99);
  }
}

/** Returns a quantile of sorted values; 0 if there are none. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
