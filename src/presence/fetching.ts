/**
 * Has the user's `fetch` add what clients are to see beside the metas, and does without it where it
 * fails.
 *
 * Runs on: shard; one for each presence.
 * Slow: for a diff, a fetch beyond `fetchTimeoutMs` has failed. Who lists waits as long as it takes.
 */

import { makeError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import { telemetry } from "../telemetry.ts";
import type { AnyCallbacks, PresenceContext, PresenceDiff, Presences } from "./definition.ts";
import type { TopicDiff } from "./diff.ts";
import { presencesOf, problemOf } from "./grouping.ts";
import type { Row } from "./replica.ts";

/** What fetching is made of. */
export interface FetchingParts {
  readonly name: string;
  readonly callbacks: AnyCallbacks;
  readonly context: PresenceContext;
  readonly fetchTimeoutMs: number;
  readonly logger: Logger;
}

/** The fetches of one presence. */
export class Fetching {
  readonly #parts: FetchingParts;

  constructor(parts: FetchingParts) {
    this.#parts = parts;
  }

  /** Fetches what belongs to presences. @throws what it throws; SIM_ERR_BAD_RESULT */
  fetch(topic: string, presences: Presences): Presences | Promise<Presences> {
    const { callbacks, context } = this.#parts;
    if (!callbacks.fetch) return presences;
    const fetched = callbacks.fetch(topic, presences, context);
    return isThenable(fetched) ? this.#settled(fetched) : this.#checked(fetched);
  }

  /**
   * Fetches what belongs to a diff. Does not fail: what could not be fetched is as it was tracked.
   * Is a promise only where the fetch gave one.
   */
  fetchDiff(topic: string, diff: TopicDiff): PresenceDiff | Promise<PresenceDiff> {
    const joins = this.#fetchSide(topic, diff.joins);
    const leaves = this.#fetchSide(topic, diff.leaves);
    if (joins instanceof Promise || leaves instanceof Promise) return bothOf(joins, leaves);
    return { joins, leaves };
  }

  /** Is told that what was fetched is of no use. */
  failed(topic: string, error: unknown): void {
    const { name, logger } = this.#parts;
    logger.log("presenceFetchFailed", { presence: name, topic, err: error });
    if (!telemetry.presence_fetch_failed.hasSubscribers) return;
    telemetry.presence_fetch_failed.publish({ presence: name, topic, error });
  }

  #fetchSide(topic: string, rows: ReadonlySet<Row>): Presences | Promise<Presences> {
    const presences = presencesOf(rows);
    if (rows.size === 0) return presences;
    try {
      const fetched = this.fetch(topic, presences);
      return fetched instanceof Promise ? this.#inTime(topic, rows, fetched) : fetched;
    } catch (error) {
      this.failed(topic, error);
      // Anew: the fetch may have changed those that it got.
      return presencesOf(rows);
    }
  }

  async #inTime(
    topic: string,
    rows: ReadonlySet<Row>,
    fetched: Promise<Presences>,
  ): Promise<Presences> {
    const { fetchTimeoutMs } = this.#parts;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const message = `fetch must settle within ${fetchTimeoutMs} (ms)`;
      const timedOut = (): void => reject(makeError("SIM_ERR_HANDLER_TIMEOUT", message));
      timer = setTimeout(timedOut, fetchTimeoutMs).unref();
    });
    try {
      return await Promise.race([fetched, late]);
    } catch (error) {
      this.failed(topic, error);
      return presencesOf(rows);
    } finally {
      clearTimeout(timer);
    }
  }

  async #settled(fetched: PromiseLike<Presences>): Promise<Presences> {
    return this.#checked(await fetched);
  }

  #checked(fetched: Presences): Presences {
    const problem = problemOf(fetched);
    if (problem === undefined) return fetched;
    const subject = `fetch of presence ${this.#parts.name} must give`;
    throw makeError("SIM_ERR_BAD_RESULT", `${subject} ${problem}`);
  }
}

async function bothOf(
  joins: Presences | Promise<Presences>,
  leaves: Presences | Promise<Presences>,
): Promise<PresenceDiff> {
  const [joined, left] = await Promise.all([joins, leaves]);
  return { joins: joined, leaves: left };
}

function isThenable(value: unknown): value is PromiseLike<Presences> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
