/**
 * The messages of a transport's clients that wait for a later turn of the event loop (`turn`).
 *
 * A client that has sent only a few small messages in this turn is always served. Messages of any other client that
 * arrive when the turn's budget is spent are copied and wait. Waiting messages are handled one of each client at a time.
 *
 * A client is heavy by what it sent in this turn without another client in between, since the engine reads from one
 * client after the other. Only the client that was served last is known, so the budget costs nothing per connection.
 *
 * Runs on: shard; one for WebSocket, one for the custom transports, of one `Turn`.
 * Owns: copies of the messages that wait.
 * Order: messages of one client are handled in the order in which they arrived. What `finish` adds is done after them.
 * Full: if more than 256 KiB of a client wait, its connection must be cut. The limit is in bytes, since time also
 *       passes for reasons that are not the client's fault. What waits counts towards `maxBufferBytes`.
 */

import type { Turn } from "./turn.ts";
import { WaitingMessages, type WaitingMessage } from "./waiting-messages.ts";

/** A client that has sent no more than this in a turn is not heavy. */
const LIGHT_MESSAGES = 8;
const LIGHT_BYTES = 4_096;

/** The part of a turn that a budget uses. */
export type BudgetedTurn = Pick<Turn, "isOvercharged" | "isSpent" | "later" | "onEnd">;

/** Whether a message is handled now, or waits, or exceeds what may wait. */
export type TurnVerdict = "now" | "waits" | "full";

interface Waiting {
  readonly messages: WaitingMessages;
  /** Handles the next message. */
  readonly handleNext: () => void;
  /** Called after the last message. */
  finish: (() => void) | undefined;
}

/** The turn budget of a transport's clients. */
export class TurnBudget<Client extends object> {
  readonly #turn: BudgetedTurn;
  readonly #handle: (client: Client, message: WaitingMessage) => void;
  readonly #onCaughtUp: (client: Client) => void;
  readonly #waiting = new Map<Client, Waiting>();
  /** The client whose message came last, and what it has sent since another client's message. */
  #last: Client | undefined = undefined;
  #lastMessages = 0;
  #lastBytes = 0;
  #heldBytes = 0;
  /** The client whose message is being handled. */
  #handling: Waiting | undefined = undefined;

  /**
   * @param handle - handles a message that waited; must not throw
   * @param onCaughtUp - called after the last of them, unless `finish` was
   */
  constructor(
    turn: BudgetedTurn,
    handle: (client: Client, message: WaitingMessage) => void,
    onCaughtUp: (client: Client) => void = () => {},
  ) {
    this.#turn = turn;
    this.#handle = handle;
    this.#onCaughtUp = onCaughtUp;
    turn.onEnd(() => {
      this.#last = undefined;
    });
  }

  /** The number of clients with waiting messages. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Memory that all waiting messages take (bytes). */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Returns the memory that a client's waiting messages take (bytes). */
  bytesOf(client: Client): number {
    return this.#heldBytes === 0 ? 0 : (this.#waiting.get(client)?.messages.heldBytes ?? 0);
  }

  /** Reports whether a client has sent more in this turn than is always served. */
  isHeavy(client: Client): boolean {
    return client === this.#last && !this.#isLastLight();
  }

  /**
   * Counts a message of a client. Unless the result is `now`, the message was copied if it waits, and must not be
   * handled.
   *
   * @param bytes - as they were received; a string counts by its UTF-16 units, and waits as UTF-8
   */
  take(client: Client, kind: WaitingMessage["kind"], bytes: Uint8Array | string): TurnVerdict {
    if (client !== this.#last) this.#startClient(client);
    this.#lastMessages += 1;
    this.#lastBytes += bytes.length;
    if (this.#waiting.size > 0 && this.#waiting.has(client)) return this.#wait(client, kind, bytes);
    if (this.#isLastLight()) return "now";
    return this.#turn.isSpent() ? this.#wait(client, kind, bytes) : "now";
  }

  /** Runs `finish` after the waiting messages of a client; returns false if there are none. */
  finish(client: Client, finish: () => void): boolean {
    if (this.#last === client) this.#last = undefined;
    const waiting = this.#waiting.get(client);
    if (!waiting) return false;
    waiting.finish = finish;
    return true;
  }

  /** Drops the waiting messages of a client. */
  drop(client: Client): void {
    if (this.#last === client) this.#last = undefined;
    this.#forget(client);
  }

  /** Continues after main has ended what a message caused (`shard/forced-end`). */
  recover(): void {
    const waiting = this.#handling;
    this.#handling = undefined;
    if (waiting) this.#turn.later(waiting.handleNext);
  }

  #isLastLight(): boolean {
    // A few messages from each of several clients can cause many broadcasts.
    const messages = this.#turn.isOvercharged ? 1 : LIGHT_MESSAGES;
    return this.#lastMessages <= messages && this.#lastBytes <= LIGHT_BYTES;
  }

  #startClient(client: Client): void {
    this.#last = client;
    this.#lastMessages = 0;
    this.#lastBytes = 0;
  }

  #wait(client: Client, kind: WaitingMessage["kind"], given: Uint8Array | string): TurnVerdict {
    const bytes = typeof given === "string" ? Buffer.from(given) : given;
    const { messages } = this.#waiting.get(client) ?? this.#startWaiting(client);
    const before = messages.heldBytes;
    const isAdded = messages.tryAdd(kind, bytes);
    this.#heldBytes += messages.heldBytes - before;
    return isAdded ? "waits" : "full";
  }

  #startWaiting(client: Client): Waiting {
    const waiting: Waiting = {
      messages: new WaitingMessages(),
      handleNext: () => this.#handleNext(client, waiting),
      finish: undefined,
    };
    this.#waiting.set(client, waiting);
    this.#turn.later(waiting.handleNext);
    return waiting;
  }

  #handleNext(client: Client, waiting: Waiting): void {
    if (this.#waiting.get(client) !== waiting) return;
    const message = waiting.messages.take();
    this.#handling = waiting;
    if (message) this.#handle(client, message);
    this.#handling = undefined;
    if (this.#waiting.get(client) !== waiting) return;
    if (!waiting.messages.isEmpty) {
      this.#turn.later(waiting.handleNext);
      return;
    }
    this.#forget(client);
    if (waiting.finish) waiting.finish();
    else this.#onCaughtUp(client);
  }

  #forget(client: Client): void {
    this.#heldBytes -= this.bytesOf(client);
    this.#waiting.delete(client);
  }
}
