/** Repeatedly sets and clears one member's bit, and checks it each time. */
import assert from "node:assert/strict";
import { SubscriptionIndex } from "../../src/pubsub/subscription-index.ts";

export const FLIP_LAYOUT = { indexBits: 1, members: 32 };

/** How often a bit is checked, so that another member's write may come in between. */
const LOOKS = 8;

/** Flips a member's bit in a slot. The bit must keep its value, whatever other members do. */
export function flip(shared: SharedArrayBuffer, member: number, rounds: number): void {
  const index = new SubscriptionIndex(shared, FLIP_LAYOUT, member);
  const bit = 1 << member;
  for (let round = 1; round <= rounds; round += 1) {
    index.add(0);
    for (let look = 0; look < LOOKS; look += 1) {
      if ((index.word(0, 0) & bit) === 0) assert.fail(`bit of ${member} lost in round ${round}`);
    }
    index.remove(0);
    for (let look = 0; look < LOOKS; look += 1) {
      if ((index.word(0, 0) & bit) !== 0) assert.fail(`bit of ${member} back in round ${round}`);
    }
  }
}
