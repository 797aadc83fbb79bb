/**
 * Kept messages on which an `intercept` handler has failed, for each client.
 *
 * Such a message ends the channel, without its offset: the client rejoins with the position before it. Without this
 * list it would get the same message again, and its channel would end again, until the message is no longer kept.
 *
 * Runs on: shard; one for all channels.
 * Full:    only the newest messages of a client are remembered. A client that asks for the last messages instead of
 *          a position, of which more fail, is ended by them again.
 */

/** Number of messages that are remembered of a client. */
const MAX_MESSAGES = 100;

interface FailedMessage {
  readonly topic: string;
  readonly epoch: string;
  readonly position: number;
}

/** The failed messages of all clients. */
export class FailedMessages {
  readonly #byClient = new WeakMap<object, FailedMessage[]>();

  /** Remembers a message. @param client - the socket, which forgets it when it ends */
  add(client: object, message: FailedMessage): void {
    let messages = this.#byClient.get(client);
    if (!messages) this.#byClient.set(client, (messages = []));
    messages.push(message);
    if (messages.length > MAX_MESSAGES) messages.shift();
  }

  /** Returns the positions of a topic's failed messages. */
  of(client: object, topic: string, epoch: string): ReadonlySet<number> {
    const messages = this.#byClient.get(client);
    if (!messages) return NONE;
    const own = messages.filter((one) => one.topic === topic && one.epoch === epoch);
    return new Set(own.map(({ position }) => position));
  }
}

const NONE: ReadonlySet<number> = new Set();
