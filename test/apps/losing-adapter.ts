/**
 * The in-memory adapter, but it loses what nodes say of the delivery of long-poll batches.
 *
 * Runs on: link.
 */
import { MemoryAdapter, type MemoryAdapterOptions } from "../../src/pubsub/adapters/memory.ts";
import type { Adapter, AdapterSpec } from "../../src/pubsub/adapter.ts";
import { isMail, unpackMail } from "../../src/pubsub/node-mail.ts";
import { RECORD, unpackRecord } from "../../src/transport/session-record.ts";

/** Gives the adapter, for the option `adapter` of `serve`. */
export function losingAdapter(options: MemoryAdapterOptions): AdapterSpec {
  return { module: import.meta.url, options: { ...options } };
}

/** Makes the adapter, in the link thread. */
export function makeAdapter(options: Readonly<Record<string, unknown>>): Adapter {
  const inner = new MemoryAdapter(options as unknown as MemoryAdapterOptions);
  return {
    nodeName: inner.nodeName,
    start: (onBroadcast, onGap) => inner.start(onBroadcast, onGap),
    broadcast: (topic, envelope) => inner.broadcast(topic, envelope),
    directBroadcast(node, topic, envelope) {
      if (!isOfDelivery(envelope)) inner.directBroadcast(node, topic, envelope);
    },
    gap: (gap) => inner.gap(gap),
    stop: () => inner.stop(),
  };
}

function isOfDelivery(envelope: Uint8Array): boolean {
  if (!isMail(envelope)) return false;
  const record = envelope.subarray(unpackMail(envelope).bodyOffset);
  return unpackRecord(record).type === RECORD.settled;
}
