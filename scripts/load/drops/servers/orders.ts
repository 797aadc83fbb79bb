/**
 * What a server under test is told to do, over the IPC channel of its process.
 *
 * Publishing is part of the server, as in an app whose own code broadcasts. Orders to publish that
 * come while it closes are ignored; its last report says where its successor has to go on.
 *
 * Runs on: the main thread of the server's process; the types also in that of `load:drops`.
 */

import { parseArgs } from "node:util";
import { EVENTS, messageAt, nowMs } from "../load.ts";

/** An order. A message is named by its position among those of all topics (`messageAt`). */
export type Order =
  | { readonly kind: "publish"; readonly from: number; readonly to: number }
  | { readonly kind: "end" }
  | { readonly kind: "restart" }
  | { readonly kind: "stop" };

/** A report: that it listens, that an order was carried out, or that it failed. */
export type Report =
  | { readonly kind: "ready" | "ended" | "restarted" }
  | { readonly kind: "stopping"; readonly to: number }
  | { readonly kind: "failed"; readonly reason: string };

/** The command line of a server. */
export interface ServerSetting {
  readonly port: number;
  readonly shards: number;
  readonly topics: number;
  /** What the names of the topics begin with. */
  readonly prefix: string;
}

/** A server, as far as orders concern it. */
export interface Publisher {
  publish(topic: string, event: string, payload: object): Promise<unknown>;
  /** Restarts all shards, one after the other. */
  restart?(): Promise<void>;
  /** Sends clients away, while it publishes. */
  drain?(): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Reads the command line of a server. */
export function readSetting(): ServerSetting {
  const text = { type: "string", default: "" } as const;
  const { values } = parseArgs({
    options: { port: text, shards: text, topics: text, prefix: text },
  });
  const { port, shards, topics, prefix } = values;
  return { port: Number(port), shards: Number(shards), topics: Number(topics), prefix };
}

/** Returns the name of a topic, by its number from 0. */
export function topicName(prefix: string, topic: number): string {
  return `${prefix}:${topic + 1}`;
}

/** Reports that the server listens, and carries out orders until the last one stops it. */
export function obey(server: Publisher, setting: ServerSetting): void {
  const work = new Work(server, setting);
  process.on("message", (order: Order) => {
    work
      .carryOut(order)
      .catch((error: unknown) => report({ kind: "failed", reason: String(error) }));
  });
  report({ kind: "ready" });
}

function report(message: Report): void {
  if (process.connected) process.send?.(message);
}

class Work {
  readonly #server: Publisher;
  readonly #setting: ServerSetting;
  /** Position behind the last message. */
  #published = 0;
  #isClosing = false;
  /** Publishes that have not been acknowledged. */
  readonly #pending = new Set<Promise<unknown>>();

  constructor(server: Publisher, setting: ServerSetting) {
    this.#server = server;
    this.#setting = setting;
  }

  async carryOut(order: Order): Promise<void> {
    switch (order.kind) {
      case "publish": {
        this.#publishAll(order.from, order.to);
        return;
      }
      case "end": {
        await Promise.all(this.#pending);
        for (let topic = 0; topic < this.#setting.topics; topic++)
          this.#publish(topic, EVENTS.end, {});
        await Promise.all(this.#pending);
        report({ kind: "ended" });
        return;
      }
      case "restart": {
        await this.#server.restart?.();
        report({ kind: "restarted" });
        return;
      }
      case "stop": {
        await this.#stop();
      }
    }
  }

  #publishAll(from: number, to: number): void {
    if (this.#isClosing) return;
    for (let position = from; position < to; position++) {
      const { topic, n } = messageAt(this.#setting, position);
      this.#publish(topic, EVENTS.message, { n, at: nowMs() });
    }
    this.#published = to;
  }

  #publish(topic: number, event: string, payload: object): void {
    const published = this.#server
      .publish(topicName(this.#setting.prefix, topic), event, payload)
      .catch((error: unknown) => report({ kind: "failed", reason: String(error) }))
      .finally(() => this.#pending.delete(published));
    this.#pending.add(published);
  }

  async #stop(): Promise<void> {
    await this.#server.drain?.();
    this.#isClosing = true;
    await Promise.all(this.#pending);
    report({ kind: "stopping", to: this.#published });
    await this.#server.close();
    process.disconnect();
  }
}
