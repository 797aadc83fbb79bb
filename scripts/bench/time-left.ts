/**
 * How far a command has come, in words: for those that take minutes.
 *
 * Runs on: a command's process. All but `Steps` is pure.
 */

const BAR_CHARACTERS = 24;

/** Draws a progress bar for a share from 0 to 1. */
export function drawBar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_CHARACTERS);
  return `[${"#".repeat(full)}${"-".repeat(BAR_CHARACTERS - full)}]`;
}

/** Describes a time that is not known exactly. */
export function describeTime(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** Describes the progress of a command, and estimates the remaining time from its steps so far. */
export function describeLeft(done: number, all: number, elapsedMs: number): string {
  const share = `${Math.round((done / all) * 100)} %`;
  if (done === 0) return share;
  const leftMs = (elapsedMs / done) * (all - done);
  return done === all ? share : `${share}, about ${describeTime(leftMs)} left`;
}

/** Counts the steps of a command. They should take about the same time. */
export class Steps {
  readonly #all: number;
  readonly #startedMs = performance.now();
  #done = 0;

  constructor(all: number) {
    this.#all = all;
  }

  /** Called after a step. @returns a line with the bar, the remaining time, and what the step says */
  done(text: string): string {
    this.#done += 1;
    const left = describeLeft(this.#done, this.#all, performance.now() - this.#startedMs);
    return `${drawBar(this.#done / this.#all)} ${left}  ${text}`;
  }
}
