import { pbkdf2 } from "node:crypto";
import { promisify } from "node:util";

const derive = promisify(pbkdf2);
const STEPS = 50;
const MOST_JOBS = 1_000;

/** The answer to a request: an HTTP status and a body. */
export interface Answer {
  readonly status: number;
  readonly body: object;
}

/** Long-running jobs: each derives a key in several steps, on libuv's threads. */
export class Jobs {
  readonly #percents = new Map<string, number>();
  readonly #report: (id: string, percent: number) => void;
  readonly #iterations: number;
  #isStopped = false;

  /** @param report - called after each step; the last one is 100 percent */
  constructor(report: (id: string, percent: number) => void, iterations: number) {
    this.#report = report;
    this.#iterations = iterations;
  }

  /** Starts a job. The client has chosen its id and has already joined its topic. */
  start(id: unknown): Answer {
    if (typeof id !== "string" || !/^[0-9a-f-]{36}$/.test(id)) {
      return { status: 400, body: { reason: "id must be a UUID" } };
    }
    if (this.#percents.has(id)) return { status: 409, body: { reason: "already started" } };
    if (this.#percents.size >= MOST_JOBS && !this.#forgetDone()) {
      return { status: 503, body: { reason: "too many jobs" } };
    }
    this.#percents.set(id, 0);
    void this.#run(id);
    return { status: 202, body: { id } };
  }

  /** Returns the progress of a job, for clients that may have missed a broadcast. */
  progress(id: string): Answer {
    const percent = this.#percents.get(id);
    return percent === undefined
      ? { status: 404, body: { reason: "no such job" } }
      : { status: 200, body: { percent } };
  }

  /** Stops all jobs, without further reports. */
  stop(): void {
    this.#isStopped = true;
  }

  async #run(id: string): Promise<void> {
    for (let step = 1; step <= STEPS; step += 1) {
      await derive(id, String(step), this.#iterations, 64, "sha512");
      if (this.#isStopped) return;
      const percent = (100 * step) / STEPS;
      this.#percents.set(id, percent);
      this.#report(id, percent);
    }
  }

  #forgetDone(): boolean {
    for (const [id, percent] of this.#percents) {
      if (percent === 100) return this.#percents.delete(id);
    }
    return false;
  }
}
