/**
 * A message that a test sent, and the replies to it.
 *
 * Runs on: the thread of a test.
 */

import { fail } from "./failure.ts";
import { Inbox } from "./inbox.ts";
import type { TestSocket } from "./test-socket.ts";

/** A reply. */
export interface TestReply {
  /** `ok`, `error`, or what the channel made up. */
  readonly status: string;
  readonly response: unknown;
}

/** A message that was sent. */
export class TestPush {
  readonly socket: TestSocket;
  /** By which its replies are known on the wire. */
  readonly ref: string;
  readonly topic: string;
  readonly event: string;
  readonly replies = new Inbox<TestReply>();

  constructor(socket: TestSocket, ref: string, topic: string, event: string) {
    this.socket = socket;
    this.ref = ref;
    this.topic = topic;
    this.event = event;
  }

  /** Its first reply. Rejects with an AssertionError where none comes within the socket's time. */
  get reply(): Promise<TestReply> {
    return this.firstReply();
  }

  /** Gives its first reply, and leaves it to the assertions. */
  async firstReply(): Promise<TestReply> {
    const { socket } = this;
    const wait = { timeoutMs: undefined, patienceMs: socket.timeoutMs };
    const reply = await this.replies.first(socket.app.time.waiting(wait));
    if (reply) return reply;
    return fail(socket, {
      operator: "reply",
      message: `"${this.event}" to ${this.topic} must be replied to ${socket.app.time.shown(wait)}`,
    });
  }
}
