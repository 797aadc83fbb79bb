/**
 * The example of rate limits, tested as a user tests it.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { assertBroadcast, assertReply, testApp, type ConnectOptions } from "simurgh/testing";
import { subscribeAndJoin, type StartedApp } from "simurgh/testing";
import endpoint from "./limits/app.ts";

/** Of connects in a second. */
const CONNECTS = 10;
const LIMITED = { reason: "rate_limited" };

/** As a proxy says where a client comes from that claims to be another. */
const from = (address: string): ConnectOptions => ({
  connectInfo: { xHeaders: [["x-forwarded-for", `203.0.113.9, ${address}`]] },
});

describe("the example of rate limits", () => {
  let app: StartedApp;
  beforeEach(async () => {
    app = await testApp(endpoint, { time: "virtual" });
  });
  afterEach(() => app.close());

  it("takes a burst of messages, and tells who sends more when to send the next", async () => {
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

  it("takes other events as well as before", async () => {
    const { channel } = await subscribeAndJoin(await app.connect(), "room:1");
    for (let count = 0; count < 4; count += 1) channel.push("new_msg", {});
    channel.push("typing");
    await assertBroadcast(channel, "typing");
  });

  it("refuses the connects of an address that come too often, as the proxy names it", async () => {
    for (let count = 0; count < CONNECTS; count += 1) await app.connect(from("192.0.2.1"));
    await assert.rejects(app.connect(from("192.0.2.1")), {
      reason: { ...LIMITED, retry_after: 100 },
    });
    await app.connect(from("192.0.2.2"));
    await app.advance(100);
    await app.connect(from("192.0.2.1"));
  });
});
