/**
 * A topic that a test has joined or tried to join, and a test's own subscription to a topic.
 *
 * Runs on: the thread of a test.
 */

import { makeError } from "../errors.ts";
import type { SoloChannel } from "../solo/solo-connection.ts";
import type { SoloSubscriber } from "../solo/solo-shard.ts";
import { Inbox } from "./inbox.ts";
import type { TestPush, TestSocket } from "./test-socket.ts";

/** A broadcast, as received by a test's subscription. */
export type TestBroadcast = Parameters<SoloSubscriber>[0];

/**
 * A test's own subscription to a topic, which does not require a client to join. Created by
 * `subscribe`.
 */
export class TestSubscriber {
  readonly socket: TestSocket;
  readonly topic: string;
  readonly broadcasts = new Inbox<TestBroadcast>();
  /** The subscription's handler, which a broadcast can exclude. */
  readonly handler: SoloSubscriber = (broadcast) => this.broadcasts.add(broadcast);

  constructor(socket: TestSocket, topic: string) {
    this.socket = socket;
    this.topic = topic;
    socket.app.shard.subscribe(topic, this.handler);
  }
}

/** The client's side of a channel. Created by `join` and `subscribeAndJoin`. */
export class TestChannel {
  readonly socket: TestSocket;
  readonly topic: string;
  readonly joinRef: string;
  /** The server's side; undefined if the join was refused. */
  readonly channel: SoloChannel | undefined;
  /** The test's subscription to the topic, if `subscribeAndJoin` created one. */
  readonly subscriber: TestSubscriber | undefined;

  constructor(
    socket: TestSocket,
    topic: string,
    joinRef: string,
    channel: SoloChannel | undefined,
    subscriber: TestSubscriber | undefined,
  ) {
    this.socket = socket;
    this.topic = topic;
    this.joinRef = joinRef;
    this.channel = channel;
    this.subscriber = subscriber;
  }

  /** The channel's current assigns. */
  get assigns(): Readonly<Record<string, unknown>> {
    return this.#joined().assigns as Readonly<Record<string, unknown>>;
  }

  /** True after the channel has ended and its `terminate` has settled. */
  get hasEnded(): boolean {
    return this.channel?.hasEnded ?? true;
  }

  /**
   * Sends an event to the channel, as a client does. The payload is sent as JSON, or as a binary
   * frame if it is bytes.
   */
  push(event: string, payload: unknown = {}): TestPush {
    return this.socket.push(this.joinRef, this.topic, event, payload);
  }

  /** Sends a message to the channel's `handleInfo`, as the channel's own `send` does. */
  send(message: unknown): void {
    this.#joined().send(message);
  }

  #joined(): SoloChannel {
    if (this.channel) return this.channel;
    throw makeError("SIM_ERR_NOT_JOINED", `${this.topic} must be joined, got a refused join`);
  }
}
