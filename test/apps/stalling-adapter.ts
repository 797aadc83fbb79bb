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
/** Nobody is held up for longer, whatever becomes of the test that should let go. */
const HELD_MS = 60_000;

interface StallingOptions extends MemoryAdapterOptions {
  /** The link stands still until this lets go (`releaseLoop`), or for `STALL_MS` without it. */
  readonly release?: SharedArrayBuffer;
}

/** Returns the adapter, for the option `adapter` of `serve`. */
export function stallingAdapter(options: StallingOptions): AdapterSpec {
  return { module: import.meta.url, options: { ...options } };
}

/** Creates the adapter, in the link thread. */
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
