import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { nextState, STATE } from "../../src/channel/channel-state.ts";
import type { ChannelState, ChannelStep } from "../../src/channel/channel-state.ts";

const STEPS: readonly ChannelStep[] = ["joined", "refused", "end", "ended", "kill"];

/** All allowed steps. Any other is refused. */
const TABLE: Readonly<
  Record<keyof typeof STATE, Partial<Record<ChannelStep, keyof typeof STATE>>>
> = {
  joining: { joined: "open", refused: "closed", kill: "closed" },
  open: { end: "ending", kill: "closed" },
  ending: { ended: "closed", kill: "closed" },
  closed: {},
};

describe("the states of a channel", () => {
  for (const name of Object.keys(STATE) as (keyof typeof STATE)[]) {
    for (const step of STEPS) {
      const to = TABLE[name][step];
      it(`${name}: ${step} ${to === undefined ? "is refused" : `leads to ${to}`}`, () => {
        const expected: ChannelState | undefined = to === undefined ? undefined : STATE[to];
        assert.equal(nextState(STATE[name], step), expected);
      });
    }
  }
});
