/**
 * A loop that runs one step at a time, whenever one is due.
 *
 *   asleep --wake--> the first step, if it is due --> each other step that is due, in turn --nothing is due--> asleep
 *                                                                                       \--a step fails--> asleep, woken later
 *
 * Runs on: shard; one for each holder.
 * Order: steps never run at the same time. The first one goes before all others; the others take turns, so that none
 *        of them starves.
 */

import { Backoff } from "../../backoff.ts";
import { messageOf } from "../../error-report.ts";
import { codeOf } from "../../errors.ts";

/** Time until a step that failed is tried again: at first, and at most (ms). */
const FIRST_RETRY_MS = 200;
const MOST_RETRY_MS = 5_000;

/** Something that the loop does when it is due. */
export interface Step {
  readonly isDue: () => boolean;
  /** If it rejects, it must be due again, now or later. */
  readonly run: () => Promise<void>;
}

/** What a loop needs of its owner. */
export interface StepLoopOwner {
  /** Returns whether steps can run now. */
  readonly isReady: () => boolean;
  readonly first: Step;
  readonly others: readonly Step[];
  readonly report: (text: string) => void;
}

/** A loop of steps. */
export class StepLoop {
  readonly #owner: StepLoopOwner;
  readonly #backoff = new Backoff(FIRST_RETRY_MS, MOST_RETRY_MS);
  /** Index of the step whose turn is next. */
  #turn = 0;
  #isRunning = false;
  #retry: NodeJS.Timeout | undefined = undefined;
  /** The last failure, which is not reported again. */
  #failure = "";

  constructor(owner: StepLoopOwner) {
    this.#owner = owner;
  }

  /** Runs what is due, unless the loop is running already. */
  wake(): void {
    if (this.#isRunning || !this.#owner.isReady()) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** Cancels the next attempt. A step that is running is not interrupted. */
  stop(): void {
    clearTimeout(this.#retry);
  }

  async #run(): Promise<void> {
    // The caller may note more work before its turn of the event loop ends. All of it then goes into one statement.
    await Promise.resolve();
    try {
      for (let step = this.#nextStep(); step; step = this.#nextStep()) await step.run();
      this.#backoff.reset();
      this.#failure = "";
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isRunning = false;
    }
  }

  #nextStep(): Step | undefined {
    const { isReady, first, others } = this.#owner;
    if (!isReady()) return undefined;
    if (first.isDue()) return first;
    for (let count = 0; count < others.length; count += 1) {
      const step = others[this.#turn];
      this.#turn = (this.#turn + 1) % others.length;
      if (step?.isDue()) return step;
    }
    return undefined;
  }

  /** Reports a failure, unless that has been done, and tries again later. */
  #failed(error: unknown): void {
    const failure = messageOf(error);
    // A connection that broke is reported where it is opened again.
    const isReported = codeOf(error) === "SIM_ERR_DATABASE" || failure === this.#failure;
    if (!isReported) this.#owner.report(`trying again: ${failure}`);
    this.#failure = failure;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.wake(), this.#backoff.nextMs());
  }
}
