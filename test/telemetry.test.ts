import assert from "node:assert/strict";
import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";

import { EVENTS, telemetry, type EventName } from "../src/telemetry.ts";

const NAMES = Object.keys(EVENTS) as EventName[];

describe("telemetry", () => {
  for (const name of NAMES) {
    it(`${name}: is published on the channel simurgh:${name}`, () => {
      assert.equal(telemetry[name], channel(`simurgh:${name}`));
      assert.equal(telemetry[name].hasSubscribers, false);
      const events: unknown[] = [];
      const take = (event: unknown): void => void events.push(event);
      subscribe(`simurgh:${name}`, take);
      telemetry[name].publish({ n: 1 });
      unsubscribe(`simurgh:${name}`, take);
      telemetry[name].publish({ n: 2 });
      assert.deepEqual(events, [{ n: 1 }]);
    });

    it(`${name}: says what it has and when it is published`, () => {
      assert.match(EVENTS[name], /^[\w (),]+: [^:]+$/);
    });
  }
});
