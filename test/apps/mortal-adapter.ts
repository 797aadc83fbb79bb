/**
 * An in-memory adapter that ends the link thread at a broadcast on the topic `end the link`.
 *
 * Runs on: link.
 */
import { MemoryAdapter, type MemoryAdapterOptions } from "../../src/pubsub/adapters/memory.ts";
import type { Adapter, AdapterSpec } from "../../src/pubsub/adapter.ts";

/** A broadcast on this topic ends the thread. */
export const LAST_TOPIC = "end the link";

/** Returns the spec of the adapter, for the option `adapter` of `serve`. */
export function mortalAdapter(options: MemoryAdapterOptions): AdapterSpec {
  return { module: import.meta.url, options: { ...options } };
}

/** Makes the adapter on the link thread. */
export function makeAdapter(options: Readonly<Record<string, unknown>>): Adapter {
  return new MortalAdapter(options as unknown as MemoryAdapterOptions);
}

class MortalAdapter extends MemoryAdapter {
  override broadcast(topic: string, envelope: Uint8Array): void {
    if (topic === LAST_TOPIC) process.exit(7);
    super.broadcast(topic, envelope);
  }
}
