/**
 * The example of rate limits, tested as a user tests it.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

import { assertBroadcast, assertReply, closeApp, connect, subscribeAndJoin } from "simurgh/testing";
import app from "./limits/app.ts";

/** Of connects in a second. */
const CONNECTS = 10;

const isSoon = (ms: unknown): boolean => typeof ms === "number" && ms > 0 && ms <= 500;
/** As a proxy says where a client comes from that claims to be another. */
const from = (address: string): Parameters<typeof connect>[1] => ({
  connectInfo: { xHeaders: [["x-forwarded-for", `203.0.113.9, ${address}`]] },
});

afterEach(() => closeApp(app));

describe("the example of rate limits", () => {
  it("takes a burst of messages, and tells who sends more when to send the next", async () => {
    const { channel } = await subscribeAndJoin(await connect(app), "room:1");
    for (const body of ["one", "two", "three"]) {
      channel.push("new_msg", { body });
      await assertBroadcast(channel, "new_msg", { payload: { body } });
    }
    const push = channel.push("new_msg", { body: "four" });
    await assertReply(push, "error", { reason: "rate_limited", retry_after: isSoon });
  });

  it("takes other events as well as before", async () => {
    const { channel } = await subscribeAndJoin(await connect(app), "room:1");
    for (let count = 0; count < 4; count += 1) channel.push("new_msg", {});
    channel.push("typing");
    await assertBroadcast(channel, "typing");
  });

  it("refuses the connects of an address that come too often, as the proxy names it", async () => {
    for (let count = 0; count < CONNECTS; count += 1) await connect(app, from("192.0.2.1"));
    await assert.rejects(connect(app, from("192.0.2.1")), ({ reason }: { reason?: unknown }) => {
      const { reason: why, retry_after: ms } = reason as { reason: string; retry_after: number };
      return why === "rate_limited" && ms > 0 && ms <= 100;
    });
    await connect(app, from("192.0.2.2"));
  });
});
