/**
 * The in-memory adapter, and a way to end the link's thread: a broadcast on the topic `end the link`.
 *
 * Runs on: link.
 */
import { MemoryAdapter, type MemoryAdapterOptions } from "../../src/pubsub/adapters/memory.ts";
import type { Adapter, AdapterSpec } from "../../src/pubsub/adapter.ts";

/** Topic whose broadcast ends the thread. */
export const LAST_TOPIC = "end the link";

/** Gives the adapter, for the option `adapter` of `serve`. */
export function mortalAdapter(options: MemoryAdapterOptions): AdapterSpec {
  return { module: import.meta.url, options: { ...options } };
}

/** Makes the adapter, in the link thread. */
export function makeAdapter(options: Readonly<Record<string, unknown>>): Adapter {
  const inner = new MemoryAdapter(options as unknown as MemoryAdapterOptions);
  return {
    nodeName: inner.nodeName,
    start: (onBroadcast, onGap) => inner.start(onBroadcast, onGap),
    broadcast(topic, envelope) {
      if (topic === LAST_TOPIC) process.exit(7);
      inner.broadcast(topic, envelope);
    },
    directBroadcast: (node, topic, envelope) => inner.directBroadcast(node, topic, envelope),
    gap: (gap) => inner.gap(gap),
    stop: () => inner.stop(),
  };
}
