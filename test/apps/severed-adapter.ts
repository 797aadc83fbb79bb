/**
 * An in-memory adapter whose wire the host can cut and restore. Messages sent in between are silently lost in
 * both directions, so that the node looks dead from outside.
 *
 * Runs on: link.
 */
import type { Adapter, AdapterSpec } from "../../src/raw.ts";
import { MemoryAdapter, type MemoryAdapterOptions } from "../../src/pubsub/adapters/memory.ts";

/** Broadcasts on these topics cut and restore the wire. */
export const CUT_TOPIC = "cut the wire";
export const RESTORE_TOPIC = "restore the wire";

/** Returns the spec of the adapter, for the option `adapter` of `serve`. */
export function severedAdapter(options: MemoryAdapterOptions): AdapterSpec {
  return { module: import.meta.url, options: { ...options } };
}

/** Makes the adapter on the link thread. */
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
      else if (topic === RESTORE_TOPIC) isCut = false;
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
