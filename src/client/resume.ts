/**
 * Makes a channel of the official client resume: its joins ask for what follows the last message.
 *
 * Runs on: a client, in a browser or elsewhere.
 */

import type { PhoenixPush } from "./reply.ts";

/** What a channel asks for. `last` messages come first if it has no position, or cannot be recovered. */
export interface ResumeRequest {
  readonly last?: number;
}

/** How a join with a history went. */
export interface Recovered {
  /** False if something is missing, so that the app should load its state again. */
  readonly recovered: boolean;
  /** Number of kept messages that follow at once. */
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

/** The position of one channel. */
export class Resume {
  readonly #last: number | undefined;
  readonly #callbacks = new Set<(recovered: Recovered) => void>();
  #cursor: Cursor | null = null;

  /** @param request - true asks for live messages on the first join */
  constructor(request: ResumeRequest | true) {
    this.#last = request === true ? undefined : request.last;
  }

  /** Returns what the next join asks for. */
  get asked(): object | null {
    const last = this.#last === undefined ? {} : { last: this.#last };
    if (this.#cursor) return { ...this.#cursor, ...last };
    return this.#last === undefined ? null : last;
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
    // A broadcast that arrives while the channel joins comes again after the join.
    channel.isMember = (topic, event, ...rest) =>
      (topic !== channel.topic || channel.state !== "joining" || event.startsWith("phx_")) &&
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
      const { history } = Object(response) as { history?: Cursor & Recovered };
      this.#cursor = history ? { epoch: history.epoch, offset: history.offset } : null;
      if (!history) return;
      const { recovered, count } = history;
      for (const callback of this.#callbacks) callback({ recovered, count });
    });
  }
}
