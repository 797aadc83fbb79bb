/**
 * Publishes changes: in their order, each as a kept message if its topic has a history, as a broadcast otherwise.
 *
 *   changes -> rules of the table -> messages -> window -> publish, or broadcast -> settled
 *                                                  ^                        |
 *                                                  +-- those that were lost, again
 *
 * A kept message has an idempotency key made from the position of its change, so a change that is read again after
 * a crash is kept once. Whether a topic has a history is learned from the first publish on it.
 *
 * Runs on: shard, if it leads.
 * Order:   messages are sent in the order of the changes. Those that are lost on the way to a keeper, whose
 *          subscribers are told, are published again in that order, after those that were kept meanwhile.
 *          When this thread does not lead any more, what was not sent is left to the next leader.
 * Full:    at most `maxInFlight` messages wait for their keepers. If a keeper has no room for another key, messages
 *          are published without keys for a while, since a message that is kept twice is better than one that is lost.
 */

import { hasCode } from "../../errors.ts";
import { messageOf } from "../../error-report.ts";
import type { TransportHost } from "../../raw.ts";
import type { Change, SourceMessage } from "./change.ts";
import { failed, messagesOf } from "./change-rules.ts";
import { pauseUntil } from "./leadership.ts";
import type { SourceSettings } from "./options.ts";
import type { SourceReports } from "./reports.ts";

/** A message on its way. */
interface Outgoing extends SourceMessage {
  readonly change: Change;
  readonly key: string;
}

/** Why a message was not sent. */
interface Failure {
  readonly error: unknown;
}

/** What became of a message: undefined if it was sent. */
type Outcome = Failure | undefined;

/** The part of a shard's context that publishes. */
export type PublishingContext = Pick<TransportHost["context"], "broadcast" | "publish">;

/** What a reader needs of a publisher. */
export type ChangePublisher = Pick<Publisher, "publish">;

/** Number of times that a message is published if it is lost on the way to its keeper. */
const MAX_TRIES = 6;
const FIRST_RETRY_MS = 50;
/** Topics and events of which it is known whether they are kept. */
const MAX_KNOWN = 20_000;
/** Time for which messages have no keys after a keeper had no room for one. */
const WITHOUT_KEYS_MS = 1_000;

/** Publishes the changes of a source. */
export class Publisher {
  readonly #context: PublishingContext;
  readonly #settings: SourceSettings;
  readonly #reports: SourceReports;
  /** Whether messages are kept, by topic and event. */
  readonly #known = new Map<string, boolean>();
  #withoutKeysUntilMs = 0;

  constructor(context: PublishingContext, settings: SourceSettings, reports: SourceReports) {
    this.#context = context;
    this.#settings = settings;
    this.#reports = reports;
  }

  /**
   * Publishes changes, and resolves when all that can be published has been. Never rejects.
   *
   * @param lost - aborted when another thread may lead already, which then publishes the rest
   * @returns number of the changes, from the first one, that need not be published again
   */
  async publish(changes: readonly Change[], lost: AbortSignal): Promise<number> {
    let unsent: Outgoing | undefined;
    let window: Outgoing[] = [];
    for (const change of changes) {
      if (window.length >= this.#settings.maxInFlight) {
        unsent = await this.#sendAll(window, lost);
        if (unsent) break;
        window = [];
      }
      for (const message of this.#messagesOf(change)) window.push(message);
    }
    unsent ??= await this.#sendAll(window, lost);
    const count = unsent ? changes.indexOf(unsent.change) : changes.length;
    this.#reports.add("changes", count);
    return count;
  }

  /** Sends messages, no more at once than may be in flight. @returns the first that was not sent */
  async #sendAll(messages: readonly Outgoing[], lost: AbortSignal): Promise<Outgoing | undefined> {
    const { maxInFlight } = this.#settings;
    for (let from = 0; from < messages.length; from += maxInFlight) {
      if (lost.aborted) return messages[from];
      const unsent = await this.#send(messages.slice(from, from + maxInFlight), lost);
      if (unsent) return unsent;
    }
    return undefined;
  }

  #messagesOf(change: Change): readonly Outgoing[] {
    const rules = this.#settings.tables.get(`${change.schema}.${change.table}`);
    if (rules === undefined) return [];
    try {
      return messagesOf(change, rules).map(({ topic, event, payload }, index) => {
        const key = `${this.#settings.name}:${change.position}:${index}`;
        return { topic, event, payload: payload ?? {}, change, key };
      });
    } catch (error) {
      this.#reports.error(error, change);
      return [];
    }
  }

  /**
   * Sends messages, and those that were lost on the way again.
   *
   * @returns the first that was not sent, because the lead was lost
   */
  async #send(window: readonly Outgoing[], lost: AbortSignal): Promise<Outgoing | undefined> {
    let rest = window;
    for (let tries = 1; rest.length > 0; tries += 1) {
      if (tries > 1 && lost.aborted) return rest[0];
      const outcomes = await this.#sendOnce(rest);
      const isLast = tries === MAX_TRIES;
      const again = rest.filter((_, index) => isToBeSentAgain(outcomes[index], isLast));
      for (const [index, message] of rest.entries()) {
        if (!isToBeSentAgain(outcomes[index], isLast)) this.#note(message, outcomes[index]);
      }
      if (outcomes.some(hasNoKeyRoom)) {
        this.#withoutKeysUntilMs = performance.now() + WITHOUT_KEYS_MS;
      } else if (again.length > 0) {
        await pauseUntil(FIRST_RETRY_MS * 2 ** (tries - 1), lost);
      }
      rest = again;
    }
    return undefined;
  }

  /** Sends each message once. @returns what became of each, in their order */
  async #sendOnce(window: readonly Outgoing[]): Promise<readonly Outcome[]> {
    // If it is not known yet whether a topic has a history, later messages on it wait for the answer to the first one.
    const unsure = new Set<string>();
    const outcomes = window.map((message): Outcome | Promise<Outcome> => {
      const isKept = this.#isKept(message);
      if (isKept === undefined) unsure.add(message.topic);
      if (isKept !== false) return this.#publish(message);
      return unsure.has(message.topic) ? NOT_SENT : this.#broadcast(message);
    });
    const settled: Outcome[] = [];
    for (const [index, pending] of outcomes.entries()) {
      const outcome = await pending;
      settled.push(this.#isPlain(outcome) ? this.#broadcast(window[index] as Outgoing) : outcome);
    }
    // Broadcasts alone must also let the shard take its turn, or its queues to other threads overflow.
    await nextTurn();
    return settled;
  }

  /** Reports whether a message is to be broadcast after all. */
  #isPlain(outcome: Outcome): boolean {
    return outcome === NOT_SENT || hasCode(outcome?.error, "SIM_ERR_NO_HISTORY");
  }

  /** Publishes a message. Never rejects. */
  async #publish(message: Outgoing): Promise<Outcome> {
    const { topic, event, payload, key } = message;
    const hasKey = performance.now() >= this.#withoutKeysUntilMs;
    try {
      await this.#context.publish(topic, event, payload, hasKey ? { idempotencyKey: key } : {});
      this.#learn(message, true);
      return undefined;
    } catch (error) {
      if (hasCode(error, "SIM_ERR_NO_HISTORY")) this.#learn(message, false);
      return { error };
    }
  }

  #broadcast({ topic, event, payload }: Outgoing): Failure | undefined {
    try {
      this.#context.broadcast(topic, event, payload);
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  #note({ change }: Outgoing, failure: Failure | undefined): void {
    if (failure === undefined) this.#reports.add("messages", 1);
    else this.#reports.error(failed(change, messageOf(failure.error), failure.error), change);
  }

  #isKept({ topic, event }: Outgoing): boolean | undefined {
    return this.#known.get(`${event} ${topic}`);
  }

  #learn({ topic, event }: Outgoing, isKept: boolean): void {
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(`${event} ${topic}`, isKept);
  }
}

/** The outcome of a message that waits for what is known about its topic. */
const NOT_SENT: Failure = { error: new Error("not sent yet") };

/** Reports whether a message was lost on the way to its keeper, so that publishing it again may help. */
function isToBeSentAgain(outcome: Outcome, isLast: boolean): boolean {
  if (!hasCode(outcome?.error, "SIM_ERR_NOT_KEPT") || isTooLarge(outcome)) return false;
  return !isLast || hasNoKeyRoom(outcome);
}

// Such a message was broadcast, so subscribers would get it twice.
function isTooLarge(outcome: Outcome): boolean {
  return messageOf(outcome?.error).includes("maxBytes of its topic");
}

function hasNoKeyRoom(outcome: Outcome): boolean {
  const error = outcome?.error;
  return hasCode(error, "SIM_ERR_NOT_KEPT") && messageOf(error).includes("idempotencyKey");
}

async function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
