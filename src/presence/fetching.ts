/**
 * Runs the user's `fetch`, which adds data for clients to the metas. If it fails, the presences are
 * used as tracked.
 *
 * Runs on: shard; one for each presence.
 * Slow: for a diff, a fetch that exceeds `fetchTimeoutMs` counts as failed. For `list`, there is no
 *       time limit: the caller waits until the fetch settles.
 */

import { makeError } from "../errors.ts";
import { telemetry } from "../telemetry.ts";
import type { PresenceDiff, Presences } from "./definition.ts";
import { presencesOf, problemOf, type TopicDiff } from "./diff.ts";
import type { Row } from "./replica.ts";
import type { ShardPresence } from "./shard-presence.ts";

/** The fetches of one presence. */
export class Fetching {
  readonly #presence: ShardPresence;

  constructor(presence: ShardPresence) {
    this.#presence = presence;
  }

  /** Runs `fetch` for presences. @throws whatever `fetch` throws; SIM_ERR_BAD_RESULT */
  fetch(topic: string, presences: Presences): Presences | Promise<Presences> {
    const { callbacks, context } = this.#presence;
    if (!callbacks.fetch) return presences;
    const fetched = callbacks.fetch(topic, presences, context);
    return isThenable(fetched) ? this.#settled(fetched) : this.#checked(fetched);
  }

  /**
   * Runs `fetch` for a diff. Never fails. If `fetch` fails, the presences are returned as tracked.
   *
   * @returns a promise only if `fetch` returned one
   */
  fetchDiff(topic: string, diff: TopicDiff): PresenceDiff | Promise<PresenceDiff> {
    const joins = this.#fetchSide(topic, diff.joins);
    const leaves = this.#fetchSide(topic, diff.leaves);
    if (joins instanceof Promise || leaves instanceof Promise) return bothOf(joins, leaves);
    return { joins, leaves };
  }

  /** Reports a fetch that failed or whose result cannot be used. */
  failed(topic: string, error: unknown): void {
    const { name, pubsub } = this.#presence;
    pubsub.member.logger.log("presenceFetchFailed", { presence: name, topic, err: error });
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
      // Group the rows again, because the fetch may have changed the presences passed to it.
      return presencesOf(rows);
    }
  }

  async #inTime(
    topic: string,
    rows: ReadonlySet<Row>,
    fetched: Promise<Presences>,
  ): Promise<Presences> {
    const { fetchTimeoutMs } = this.#presence.settings;
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
    const subject = `fetch of presence ${this.#presence.name} must return`;
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
