import { RingConsumer, RingProducer, makeRingViews } from "../../src/memory/ring.ts";
import type { RingViews } from "../../src/memory/ring.ts";
import { HEAD_WORD, RING_WORDS_BYTES, TAIL_WORD } from "../../src/memory/ring-layout.ts";
import type { RingPlace } from "../../src/memory/ring-layout.ts";

export interface RingEnds {
  readonly shared: SharedArrayBuffer;
  readonly place: RingPlace;
  readonly views: RingViews;
  readonly producer: RingProducer;
  readonly consumer: RingConsumer;
}

/** Makes a small ring with the starting positions that a test needs. */
export function makeRing(
  options: { capacityBytes?: number; startPosition?: number } = {},
): RingEnds {
  const { capacityBytes = 256, startPosition = 0 } = options;
  const shared = new SharedArrayBuffer(RING_WORDS_BYTES + capacityBytes);
  const place = { wordsOffset: 0, recordsOffset: RING_WORDS_BYTES, capacityBytes };
  const views = makeRingViews(shared);
  startAt(views, place, startPosition);
  return {
    shared,
    place,
    views,
    producer: new RingProducer(views, place),
    consumer: new RingConsumer(views, place),
  };
}

/** Sets the positions of an empty ring that has no producer yet. */
export function startAt(views: RingViews, place: RingPlace, position: number): void {
  views.words[(place.wordsOffset >> 2) + TAIL_WORD] = position;
  views.words[(place.wordsOffset >> 2) + HEAD_WORD] = position;
}

/** Writes one record if it fits. @returns false if it does not */
export function tryWrite(producer: RingProducer, type: number, payload: Uint8Array): boolean {
  const offset = producer.claim(type, payload.length);
  if (offset < 0) return false;
  producer.views.bytes.set(payload, offset);
  producer.commit();
  return true;
}

/** Reads all records in the ring, or up to a limit, as `type:text` strings. */
export function drained(consumer: RingConsumer, limit: number = 1_000): string[] {
  const seen: string[] = [];
  const onRecord = (type: number, bytes: Uint8Array, offset: number, length: number): void => {
    seen.push(`${type}:${Buffer.from(bytes.subarray(offset, offset + length)).toString()}`);
  };
  while (seen.length < limit && consumer.drain(onRecord, limit - seen.length) > 0);
  return seen;
}
