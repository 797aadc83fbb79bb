/**
 * Canaries in a thread of their own, and the sum of what they saw.
 *
 * Runs on: a suite's main thread; the canaries run in a worker.
 */

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { within } from "../../test/support/deadline.ts";
import type { CanaryRequest, CanaryWorkerData, CanaryWorkerReport } from "./canary-worker.ts";

const EVERY_MS = 20;
/** An answer that is later than this counts as missing. */
const ANSWER_DEADLINE_MS = 30_000;
const REPORT_DEADLINE_MS = 60_000;

/** What all canaries saw during a run. */
export interface CanarySummary {
  readonly sent: number;
  readonly answered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** The worst lateness of their own thread, which is part of the latencies. */
  readonly ownLatenessMs: number;
  readonly faults: readonly string[];
  readonly unanswered: number;
  /** Close codes, or phx_error. */
  readonly closes: readonly (number | "phx_error")[];
  readonly cutOff: number;
}

/** The running canaries. */
export class Canaries {
  readonly #worker: Worker;
  readonly #latencies: number[] = [];
  readonly #faults: string[] = [];
  readonly #closes: (number | "phx_error")[] = [];
  #sent = 0;
  #unanswered = 0;
  #cutOff = 0;
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
    this.#unanswered = reports.reduce((sum, { unanswered }) => sum + unanswered, 0);
    const sorted = Float64Array.from(this.#latencies).toSorted();
    return {
      sent: this.#sent,
      answered: sorted.length,
      p50Ms: quantile(sorted, 0.5),
      p99Ms: quantile(sorted, 0.99),
      maxMs: sorted.at(-1) ?? 0,
      ownLatenessMs: this.#ownLatenessMs,
      faults: this.#faults,
      unanswered: this.#unanswered,
      closes: this.#closes,
      cutOff: this.#cutOff,
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
    const recent: number[] = [];
    for (const { latencies, faults, closes, sent, cutOff } of reports) {
      for (const latency of latencies) recent.push(latency);
      this.#faults.push(...faults);
      this.#closes.push(...closes);
      this.#sent += sent;
      this.#cutOff += cutOff;
    }
    for (const latency of recent) this.#latencies.push(latency);
    this.#ownLatenessMs = Math.max(this.#ownLatenessMs, ownLatenessMs);
    return quantile(Float64Array.from(recent).toSorted(), 0.99);
  }
}

/** Returns a quantile of sorted values; 0 if there are none. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
