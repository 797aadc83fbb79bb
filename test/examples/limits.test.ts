/**
 * The example of rate limits, tested as a user would.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { assertBroadcast, assertReply, testApp, type ConnectOptions } from "simurgh/testing";
import { subscribeAndJoin, type StartedApp } from "simurgh/testing";
import endpoint from "./limits/app.ts";

/** Maximum connects in a second. */
const CONNECTS = 10;
const LIMITED = { reason: "rate_limited" };

/** A client with this address. */
const from = (address: string): ConnectOptions => ({ connectInfo: { peerData: { address } } });

describe("the example of rate limits", () => {
  let app: StartedApp;
  beforeEach(async () => {
    app = await testApp(endpoint, { time: "virtual" });
  });
  afterEach(() => app.close());

  it("accepts a burst of messages, and says when to send the next after that", async () => {
    const { channel } = await subscribeAndJoin(await app.connect(), "room:1");
    for (const body of ["one", "two", "three"]) {
      channel.push("new_msg", { body });
      await assertBroadcast(channel, "new_msg", { payload: { body } });
    }
    const fourth = channel.push("new_msg", { body: "four" });
    await assertReply(fourth, "error", { ...LIMITED, retry_after: 500 });
    await app.advance(500);
    channel.push("new_msg", { body: "five" });
    await assertBroadcast(channel, "new_msg", { payload: { body: "five" } });
  });

  it("still accepts other events", async () => {
    const { channel } = await subscribeAndJoin(await app.connect(), "room:1");
    for (let count = 0; count < 4; count += 1) channel.push("new_msg", {});
    channel.push("typing");
    await assertBroadcast(channel, "typing");
  });

  it("refuses too frequent connects from an address", async () => {
    for (let count = 0; count < CONNECTS; count += 1) await app.connect(from("192.0.2.1"));
    await assert.rejects(app.connect(from("192.0.2.1")), {
      reason: { ...LIMITED, retry_after: 100 },
    });
    await app.connect(from("192.0.2.2"));
    await app.advance(100);
    await app.connect(from("192.0.2.1"));
  });
});
