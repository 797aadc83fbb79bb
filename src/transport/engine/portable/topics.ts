/**
 * The topics of an app: which WebSockets subscribe to what.
 *
 * Runs on: shard; one for each app.
 */

import type { EngineText } from "../app-port.ts";
import type { Subscriber } from "./broadcast.ts";
import { bytesOf } from "./frame.ts";

/** A topic with at least one subscriber. */
export interface Topic {
  readonly name: string;
  readonly subscribers: Set<Subscriber>;
}

/** The topics of an app. */
export class Topics {
  readonly #topics = new Map<string, Topic>();

  /** Returns a topic, if it has a subscriber. */
  find(topic: EngineText): Topic | undefined {
    return this.#topics.get(nameOf(topic));
  }

  /** Adds a subscriber. @returns undefined if it subscribed already */
  subscribe(topic: EngineText, subscriber: Subscriber): Topic | undefined {
    const name = nameOf(topic);
    let found = this.#topics.get(name);
    if (!found) {
      found = { name, subscribers: new Set() };
      this.#topics.set(name, found);
    }
    if (found.subscribers.has(subscriber)) return undefined;
    found.subscribers.add(subscriber);
    return found;
  }

  /** Removes a subscriber. */
  unsubscribe(topic: Topic, subscriber: Subscriber): void {
    topic.subscribers.delete(subscriber);
    if (topic.subscribers.size === 0) this.#topics.delete(topic.name);
  }
}

/** Returns the name of a topic. Each byte of one that is given as bytes is a character. */
export function nameOf(topic: EngineText): string {
  return typeof topic === "string" ? topic : Buffer.from(bytesOf(topic)).toString("latin1");
}
