/**
 * Waits for a condition without polling: whoever changes what the condition reads calls `changed`.
 *
 * Runs on: any thread of a suite.
 */

const DEADLINE_MS = 30_000;

/** Changes of something that others wait for. */
export class Changes {
  readonly #looks = new Set<() => void>();

  /** Called after each change. */
  changed(): void {
    for (const look of this.#looks) look();
  }

  /** Waits until a condition holds. @throws Error that names it after the time */
  async until(isSo: () => boolean, what: string, withinMs = DEADLINE_MS): Promise<void> {
    if (await this.untilOr(isSo, withinMs)) return;
    throw new Error(`waited ${withinMs} ms for ${what}`);
  }

  /** Waits until a condition holds, or for a time. @returns whether it holds */
  untilOr(isSo: () => boolean, ms: number): Promise<boolean> {
    if (isSo()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (holds: boolean): void => {
        clearTimeout(timer);
        this.#looks.delete(look);
        resolve(holds);
      };
      const look = (): void => {
        if (isSo()) end(true);
      };
      const timer = setTimeout(() => end(isSo()), ms);
      this.#looks.add(look);
    });
  }
}
