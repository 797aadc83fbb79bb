/**
 * A topic that a test has joined, or was refused.
 *
 * Runs on: the thread of a test.
 */

import { makeError } from "../errors.ts";
import type { SoloChannel } from "../solo/solo-connection.ts";
import type { TestPush } from "./test-push.ts";
import type { TestSocket } from "./test-socket.ts";
import type { TestSubscriber } from "./test-subscriber.ts";

/** What a channel in a test is made of. */
export interface TestChannelParts {
  readonly socket: TestSocket;
  readonly topic: string;
  readonly joinRef: string;
  readonly channel: SoloChannel | undefined;
  readonly subscriber: TestSubscriber | undefined;
}

/** A client's end of a channel. `join` and `subscribeAndJoin` make one. */
export class TestChannel {
  readonly socket: TestSocket;
  readonly topic: string;
  readonly joinRef: string;
  /** The channel within; undefined where the join was refused. */
  readonly channel: SoloChannel | undefined;
  /** The test's own subscription of the topic, where `subscribeAndJoin` made one. */
  readonly subscriber: TestSubscriber | undefined;

  constructor(parts: TestChannelParts) {
    this.socket = parts.socket;
    this.topic = parts.topic;
    this.joinRef = parts.joinRef;
    this.channel = parts.channel;
    this.subscriber = parts.subscriber;
  }

  /** The channel's assigns, as they are now. */
  get assigns(): Readonly<Record<string, unknown>> {
    return this.#joined().assigns as Readonly<Record<string, unknown>>;
  }

  /** True once nothing of it is left: its `terminate` has settled. */
  get hasEnded(): boolean {
    return this.channel?.hasEnded ?? true;
  }

  /** Sends an event to the channel, as the client does. The payload goes as JSON. */
  push(event: string, payload: unknown = {}): TestPush {
    return this.socket.push(this.joinRef, this.topic, event, payload);
  }

  /** Gives the channel a message for its `handleInfo`, as its own `send` does. */
  send(message: unknown): void {
    this.#joined().send(message);
  }

  #joined(): SoloChannel {
    if (this.channel) return this.channel;
    throw makeError("SIM_ERR_NOT_JOINED", `${this.topic} must be joined, got a refused join`);
  }
}
