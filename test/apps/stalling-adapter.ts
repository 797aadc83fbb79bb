/**
 * An in-memory adapter that blocks its thread at the first broadcast on a certain topic.
 *
 * Runs on: link.
 */
import type { Adapter, AdapterSpec } from "../../src/raw.ts";
import { MemoryAdapter } from "../../src/pubsub/adapters/memory.ts";
import type { MemoryAdapterOptions } from "../../src/pubsub/adapters/memory.ts";
import { holdLoop } from "./hold.ts";

/** The topic whose first broadcast stalls the link. */
export const STALLING_TOPIC = "room:stall";
const STALL_MS = 3_000;
/** The longest time for which the thread is blocked, even if the test does not release it. */
const HELD_MS = 60_000;

interface StallingOptions extends MemoryAdapterOptions {
  /** Releases the link (`releaseLoop`). Without it, the link is blocked for `STALL_MS`. */
  readonly release?: SharedArrayBuffer;
}

/** Returns the spec of the adapter, for the option `adapter` of `serve`. */
export function stallingAdapter(options: StallingOptions): AdapterSpec {
  return { module: import.meta.url, options: { ...options } };
}

/** Makes the adapter on the link thread. */
export function makeAdapter(options: Readonly<Record<string, unknown>>): Adapter {
  return new StallingAdapter(options as unknown as StallingOptions);
}

class StallingAdapter extends MemoryAdapter {
  readonly #release: SharedArrayBuffer | undefined;
  #hasStalled = false;

  constructor({ release, ...options }: StallingOptions) {
    super(options);
    this.#release = release;
  }

  override broadcast(topic: string, envelope: Uint8Array): void {
    super.broadcast(topic, envelope);
    if (topic !== STALLING_TOPIC || this.#hasStalled) return;
    this.#hasStalled = true;
    if (this.#release) holdLoop(HELD_MS, this.#release);
    else holdLoop(STALL_MS);
  }
}
