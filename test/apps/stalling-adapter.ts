/**
 * An in-memory adapter that blocks its thread at the first broadcast on a certain topic.
 *
 * Runs on: link.
 */
import type { Adapter, AdapterSpec } from "../../src/raw.ts";
import { MemoryAdapter } from "../../src/pubsub/adapters/memory.ts";
import type { MemoryAdapterOptions } from "../../src/pubsub/adapters/memory.ts";

/** The topic whose first broadcast stalls the link. */
export const STALLING_TOPIC = "room:stall";
const STALL_MS = 3_000;

/** Returns the spec of the adapter, for the option `adapter` of `serve`. */
export function stallingAdapter(options: MemoryAdapterOptions): AdapterSpec {
  return { module: import.meta.url, options: { ...options } };
}

/** Makes the adapter on the link thread. */
export function makeAdapter(options: Readonly<Record<string, unknown>>): Adapter {
  return new StallingAdapter(options as unknown as MemoryAdapterOptions);
}

class StallingAdapter extends MemoryAdapter {
  #hasStalled = false;

  override broadcast(topic: string, envelope: Uint8Array): void {
    super.broadcast(topic, envelope);
    if (topic !== STALLING_TOPIC || this.#hasStalled) return;
    this.#hasStalled = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);
  }
}
