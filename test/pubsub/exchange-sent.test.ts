import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { makeMembers, send } from "../support/exchange.ts";
import { turn } from "../support/world.ts";

/** Fills the ring from member 0 to member 1, and queues two more records. */
function full(): ReturnType<typeof makeMembers> {
  const members = makeMembers({ members: 2, ringBytes: 256 });
  const [from] = members;
  if (from) for (let n = 0; n < 20; n += 1) send(from, 1, 0, `record ${n}`);
  return members;
}

describe("sent", () => {
  it("is true if nothing waits", async () => {
    const [from] = makeMembers({ members: 2 });
    assert.equal(await from?.exchange.sent(0), true);
  });

  it("is true once the last waiting record is in a ring, and the gauge is 0", async () => {
    const [from, to] = full();
    assert.ok(from && to);
    assert.ok(from.counter("overflowBytes") > 0);
    let isSent = false;
    const sent = from.exchange.sent(10_000).then((is) => (isSent = is));
    let heard = 0;
    while (from.exchange.queuedBytesTo(1) > 0) {
      await turn();
      assert.equal(isSent, false);
      heard += to.drained().length;
      from.exchange.drainNow();
    }
    await sent;
    assert.equal(isSent, true);
    assert.equal(from.counter("overflowBytes"), 0);
    assert.equal(heard + to.drained().length, 20);
  });

  it("is false if the time runs out, and the gauge shows what is left", async () => {
    const [from] = full();
    assert.equal(await from?.exchange.sent(1), false);
    assert.ok((from?.counter("overflowBytes") ?? 0) > 0);
  });

  it("follows the gauge even if records move within a later send", () => {
    const [from, to] = full();
    assert.ok(from && to);
    while (from.exchange.queuedBytesTo(1) > 0) {
      to.drained();
      send(from, 1, 0, "one more");
    }
    assert.equal(from.counter("overflowBytes"), 0);
  });
});
