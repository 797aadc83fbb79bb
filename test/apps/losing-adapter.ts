/**
 * An in-memory adapter that loses messages between nodes about the delivery of long-poll batches.
 *
 * Runs on: link.
 */
import { MemoryAdapter, type MemoryAdapterOptions } from "../../src/pubsub/adapters/memory.ts";
import type { Adapter, AdapterSpec } from "../../src/pubsub/adapter.ts";
import { isMail, unpackMail } from "../../src/pubsub/node-mail.ts";
import { RECORD, unpackRecord } from "../../src/transport/forwarding/forwarding-record.ts";

/** Returns the spec of the adapter, for the option `adapter` of `serve`. */
export function losingAdapter(options: MemoryAdapterOptions): AdapterSpec {
  return { module: import.meta.url, options: { ...options } };
}

/** Makes the adapter on the link thread. */
export function makeAdapter(options: Readonly<Record<string, unknown>>): Adapter {
  return new LosingAdapter(options as unknown as MemoryAdapterOptions);
}

class LosingAdapter extends MemoryAdapter {
  override directBroadcast(node: string, topic: string, envelope: Uint8Array): void {
    if (!isOfDelivery(envelope)) super.directBroadcast(node, topic, envelope);
  }
}

function isOfDelivery(envelope: Uint8Array): boolean {
  if (!isMail(envelope)) return false;
  const record = envelope.subarray(unpackMail(envelope).bodyOffset);
  return unpackRecord(record).type === RECORD.settled;
}
