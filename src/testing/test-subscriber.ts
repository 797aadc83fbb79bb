/**
 * A test's own subscription of a topic: it sees what is broadcast, whoever has joined.
 *
 * Runs on: the thread of a test.
 */

import type { SoloSubscriber } from "../solo/solo-shard.ts";
import { Inbox } from "./inbox.ts";
import type { TestSocket } from "./test-socket.ts";

/** What was broadcast. */
export type TestBroadcast = Parameters<SoloSubscriber>[0];

/** A subscription. `subscribe` makes one. */
export class TestSubscriber {
  readonly socket: TestSocket;
  readonly topic: string;
  readonly broadcasts = new Inbox<TestBroadcast>();
  /** Its place in the registry, by which it can be left out of a broadcast. */
  readonly handler: SoloSubscriber = (broadcast) => this.broadcasts.add(broadcast);

  constructor(socket: TestSocket, topic: string) {
    this.socket = socket;
    this.topic = topic;
    socket.app.shard.subscribe(topic, this.handler);
  }
}
