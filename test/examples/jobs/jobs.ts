import { pbkdf2 } from "node:crypto";
import { promisify } from "node:util";

const derive = promisify(pbkdf2);
const STEPS = 50;
const MOST_JOBS = 1_000;

/** How a request for a job is answered: with a status of HTTP, and a body. */
export interface Answer {
  readonly status: number;
  readonly body: object;
}

/** Jobs that take their time: each derives a key in so many steps, on the threads of libuv. */
export class Jobs {
  readonly #percents = new Map<string, number>();
  readonly #report: (id: string, percent: number) => void;
  readonly #iterations: number;
  #isStopped = false;

  /** @param report - is told of each step, the last of which is 100 */
  constructor(report: (id: string, percent: number) => void, iterations: number) {
    this.#report = report;
    this.#iterations = iterations;
  }

  /** Begins the job that the client has made a name for, and has joined already. */
  start(id: unknown): Answer {
    if (typeof id !== "string" || !/^[0-9a-f-]{36}$/.test(id)) {
      return { status: 400, body: { reason: "id must be a UUID" } };
    }
    if (this.#percents.has(id)) return { status: 409, body: { reason: "it runs already" } };
    if (this.#percents.size >= MOST_JOBS && !this.#forgetDone()) {
      return { status: 503, body: { reason: "too many jobs" } };
    }
    this.#percents.set(id, 0);
    void this.#run(id);
    return { status: 202, body: { id } };
  }

  /** Says how far a job is: for who was away when it was told. */
  progress(id: string): Answer {
    const percent = this.#percents.get(id);
    return percent === undefined
      ? { status: 404, body: { reason: "no such job" } }
      : { status: 200, body: { percent } };
  }

  /** Has all jobs end where they are; nothing is reported any more. */
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
