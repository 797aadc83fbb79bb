/**
 * The in-memory adapter, whose wire the host cuts and mends: what is sent meanwhile is lost, both
 * ways, and nobody is told. So a node looks from outside that has died.
 *
 * Runs on: link.
 */
import type { Adapter, AdapterSpec } from "../../src/raw.ts";
import { MemoryAdapter, type MemoryAdapterOptions } from "../../src/pubsub/adapters/memory.ts";

/** Topics whose broadcast cuts the wire, and mends it. */
export const CUT_TOPIC = "cut the wire";
export const MEND_TOPIC = "mend the wire";

/** Gives the adapter, for the option `adapter` of `serve`. */
export function severedAdapter(options: MemoryAdapterOptions): AdapterSpec {
  return { module: import.meta.url, options: { ...options } };
}

/** Makes the adapter, in the link thread. */
export function makeAdapter(options: Readonly<Record<string, unknown>>): Adapter {
  const inner = new MemoryAdapter(options as unknown as MemoryAdapterOptions);
  let isCut = false;
  return {
    nodeName: inner.nodeName,
    start: (onBroadcast, onGap) =>
      inner.start(
        (topic, envelope) => {
          if (!isCut) onBroadcast(topic, envelope);
        },
        (gap) => {
          if (!isCut) onGap(gap);
        },
      ),
    broadcast(topic, envelope) {
      if (topic === CUT_TOPIC) isCut = true;
      else if (topic === MEND_TOPIC) isCut = false;
      else if (!isCut) inner.broadcast(topic, envelope);
    },
    directBroadcast(node, topic, envelope) {
      if (!isCut) inner.directBroadcast(node, topic, envelope);
    },
    gap(gap) {
      if (!isCut) inner.gap(gap);
    },
    stop: () => inner.stop(),
  };
}
