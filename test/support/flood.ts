/**
 * One side of flood.test.ts: floods the other sides and checks what it receives from them.
 *
 * Runs on: all threads of the test.
 */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { makeExchange } from "./exchange.ts";
import type { ExchangeShared } from "./exchange.ts";
import { makeRandom, pause } from "./litmus.ts";

/** A side, and the sides that it floods. */
export interface FloodSide {
  readonly shared: ExchangeShared;
  readonly member: number;
  readonly others: readonly number[];
  /** Records that each side sends to each other. */
  readonly count: number;
}

/** Floods the others, and resolves when everything that they sent has arrived in order. */
export async function flood({ shared, member, others, count }: FloodSide): Promise<void> {
  const { exchange } = makeExchange(shared, member);
  const random = makeRandom(member + 1);
  const record = new Uint8Array(160);
  const words = new Int32Array(record.buffer);
  let sent = 0;
  const received = new Int32Array(shared.memory.members);
  const events = new EventEmitter();
  // An "error" event rejects it.
  const settled = once(events, "settled");
  const settle = (failure?: unknown): void => {
    if (failure === undefined) events.emit("settled");
    else events.emit("error", failure);
  };
  const send = (): void => {
    if (sent === count) return;
    sent += 1;
    words.fill(sent);
    const length = random(10) === 0 ? 160 : 4 + random(5) * 4;
    for (const other of others) {
      if (!exchange.send(other, 0, 1, record, length)) settle(new Error("a record was refused"));
    }
  };
  exchange.start({
    onRecord: (from, _type, bytes, offset, length) => {
      const expected = (received[from] as number) + 1;
      received[from] = expected;
      const view = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
      for (let at = 0; at < length; at += 4) {
        if (view.getInt32(at, true) === expected) continue;
        assert.fail(`word ${at} of ${expected} from ${from} is ${view.getInt32(at, true)}`);
      }
      // Also sends from within a drain; the ring being drained must then be left alone.
      if (random(others.length) === 0) send();
      pause(random);
      if (others.every((other) => received[other] === count)) settle();
    },
    onLapped: () => settle(new Error("lapped")),
    onError: (error) => settle(error),
  });
  while (sent < count) {
    // Sometimes sends nothing, so that the next wait happens within a drain.
    for (let left = random(2) * random(40); left > 0; left -= 1) send();
    await setImmediate();
  }
  await settled;
  // Flush what the others still wait for.
  while (others.some((other) => exchange.queuedBytesTo(other) > 0)) await setImmediate();
  exchange.stop();
}
