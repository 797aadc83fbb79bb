/**
 * Makes a channel of the official client resume: its joins ask for what follows the last message.
 *
 * Runs on: a client, in a browser or elsewhere.
 */

import type { PhoenixPush } from "./reply.ts";

/** What a channel asks for with the key `history` of its join parameters. */
export interface HistoryParams {
  /** Number of messages that come first if the channel has no position, or cannot be recovered. */
  readonly last?: number;
}

/** How a join with a history went. */
export interface Recovered {
  /** False if something is missing, so that the app should load its state again. */
  readonly recovered: boolean;
  /** Number of kept messages that follow immediately. */
  readonly count: number;
}

interface Cursor {
  readonly epoch: string;
  offset: string;
}

interface Resumable {
  readonly topic: string;
  readonly state: string;
  isMember(topic: string, event: string, ...rest: unknown[]): boolean;
  onMessage(event: string, payload: unknown, ref?: string | null): unknown;
}

const OPTIONAL = { optional: true };
const LOST: Recovered = { recovered: false, count: 0 };

/** The position of one channel. */
export class Resume {
  readonly #callbacks = new Set<(recovered: Recovered) => void>();
  /** Undefined until a join is accepted; null if the topic has no history. */
  #cursor: Cursor | null | undefined = undefined;

  /**
   * Returns the parameters of the next join. If the topic has no history, or not any more, `optional` makes the
   * server leave out a key that the app has not set.
   */
  asking(params: object): object {
    const { history = OPTIONAL } = params as { readonly history?: unknown };
    const cursor = this.#cursor;
    return {
      ...params,
      history: cursor ? { ...Object(history), ...cursor, ...OPTIONAL } : history,
    };
  }

  /** Calls a function after each join. @returns a function that removes it */
  onRecovered(callback: (recovered: Recovered) => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  /** Follows the messages of a channel. `isMember` is private in the official client; tests pin it. */
  follow(given: object): void {
    const channel = given as Resumable;
    const isMember = channel.isMember.bind(channel);
    // A kept broadcast that arrives while the channel joins comes again after the join.
    channel.isMember = (topic, event, ...rest) =>
      (this.#cursor === null ||
        topic !== channel.topic ||
        channel.state !== "joining" ||
        event.startsWith("phx_")) &&
      isMember(topic, event, ...rest);
    const onMessage = channel.onMessage.bind(channel);
    channel.onMessage = (event, payload, ref) => {
      if (this.#cursor && ref && !event.startsWith("phx_")) this.#cursor.offset = ref;
      return onMessage(event, payload, ref);
    };
  }

  /** Takes the position from each reply to a join. */
  joining(push: PhoenixPush): void {
    push.receive("ok", (response) => {
      const { history } = Object(response) as { history?: unknown };
      const before = this.#cursor;
      this.#cursor = cursorOf(history);
      // If the server has stopped keeping the topic, nothing is recovered.
      if (!this.#cursor && !before) return;
      const { recovered, count } = this.#cursor ? (history as Recovered) : LOST;
      for (const callback of this.#callbacks) callback({ recovered, count });
    });
  }
}

/** Returns the position that a reply tells. On a topic without a history, the key belongs to the app. */
function cursorOf(history: unknown): Cursor | null {
  const { epoch, offset, recovered } = Object(history) as Partial<Cursor & Recovered>;
  if (epoch === undefined || offset === undefined || recovered === undefined) return null;
  return { epoch, offset };
}
