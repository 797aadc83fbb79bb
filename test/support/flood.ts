/**
 * One side of flood.test.ts: it floods the other and checks what the other floods it with.
 *
 * Runs on: both threads of the test.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { makeExchange } from "./exchange.ts";
import type { ExchangeShared } from "./exchange.ts";
import { makeRandom, pause } from "./litmus.ts";

/** Who floods whom. */
export interface FloodSide {
  readonly shared: ExchangeShared;
  readonly member: number;
  readonly other: number;
  /** Records that each side sends. */
  readonly count: number;
}

/** Floods, and resolves when all that the other sent has come, in order. */
export async function flood({ shared, member, other, count }: FloodSide): Promise<void> {
  const { exchange } = makeExchange(shared, member);
  const random = makeRandom(member + 1);
  const record = new Uint8Array(160);
  const words = new Int32Array(record.buffer);
  let sent = 0;
  let received = 0;
  let settle: (failure?: unknown) => void = () => {};
  const settled = new Promise<void>((resolve, reject) => {
    settle = (failure) => (failure === undefined ? resolve() : reject(failure as Error));
  });
  const send = (): void => {
    if (sent === count) return;
    sent += 1;
    words.fill(sent);
    const length = random(10) === 0 ? 160 : 4 + random(5) * 4;
    if (!exchange.send(other, 0, 1, record, length)) settle(new Error("a record was refused"));
  };
  exchange.start({
    onRecord: (_from, _type, bytes, offset, length) => {
      received += 1;
      const view = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
      for (let at = 0; at < length; at += 4) {
        if (view.getInt32(at, true) === received) continue;
        assert.fail(`word ${at} of ${received} is ${view.getInt32(at, true)}`);
      }
      // From within a drain too, whose ring is the one that is left as it is.
      if (random(4) === 0) send();
      pause(random);
      if (received === count) settle();
    },
    onLapped: () => settle(new Error("lapped")),
    onError: (error) => settle(error),
  });
  while (sent < count) {
    for (let left = random(60); left > 0; left -= 1) send();
    await setImmediate();
  }
  await settled;
  // What the other still waits for leaves with the next turns.
  while (exchange.queuedBytesTo(other) > 0) await setImmediate();
  exchange.stop();
}
