import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ChannelRouter } from "../../src/socket/channel-router.ts";
import { channel } from "../support/world.ts";

/** Returns a function that finds which of the patterns matches a topic. */
function routed(...patterns: string[]): (topic: string) => string | undefined {
  const routes = patterns.map((pattern) => [pattern, { channel: channel() }] as const);
  const router = new ChannelRouter(Object.fromEntries(routes));
  return (topic) => routes.find(([, route]) => route === router.match(topic))?.[0];
}

describe("the router of topics", () => {
  it("matches a pattern without a star exactly", () => {
    const match = routed("exact");
    assert.equal(match("exact"), "exact");
    for (const topic of ["exact:1", "exac", "", "EXACT"]) assert.equal(match(topic), undefined);
  });

  it("matches topics that start with the text before its star", () => {
    const match = routed("room:*", "foo*");
    for (const topic of ["room:", "room:1", "room:*", "room:a:b"]) {
      assert.equal(match(topic), "room:*");
    }
    assert.equal(match("foobar"), "foo*");
    for (const topic of ["room", "Room:1", "oom:1"]) assert.equal(match(topic), undefined);
  });

  it("matches everything with a star alone", () => {
    assert.equal(routed("*")(""), "*");
    assert.equal(routed("*")("anything"), "*");
  });

  it("never matches the server's own topics", () => {
    const match = routed("*");
    for (const topic of ["phx_presence:rooms", "phx_presence:"]) {
      assert.equal(match(topic), undefined);
    }
    assert.equal(match("phx_presence"), "*");
  });

  it("uses the first pattern that matches, in order of declaration", () => {
    const match = routed("room:private", "room:*", "room:public", "*");
    assert.equal(match("room:private"), "room:private");
    assert.equal(match("room:public"), "room:*");
    assert.equal(match("other"), "*");
  });

  it("matches nothing without patterns", () => {
    assert.equal(routed()("room:1"), undefined);
  });

  it("refuses patterns and events that no client can send", () => {
    const limits = { maxTopicBytes: 16, maxEventBytes: 16 };
    const made = (pattern: string, event: string): ChannelRouter =>
      new ChannelRouter(
        { [pattern]: { channel: channel({ handleIn: { [event]() {} } }) } },
        limits,
      );
    made("é".repeat(8), "é".repeat(8));
    made(`${"t".repeat(16)}*`, "e");
    for (const pattern of [`${"t".repeat(17)}*`, "é".repeat(9)]) {
      const message = `topic pattern must match topics of at most 16 (bytes, maxTopicBytes), got "${pattern}"`;
      assert.throws(() => made(pattern, "e"), { code: "SIM_ERR_TOPIC_PATTERN", message });
    }
    for (const pattern of ["phx_presence:*", "phx_presence:rooms"]) {
      const message = `topic pattern must not be for the server's own topics, got "${pattern}"`;
      assert.throws(() => made(pattern, "e"), { code: "SIM_ERR_TOPIC_PATTERN", message });
    }
    const event = "é".repeat(9);
    assert.throws(() => made("room:*", event), {
      code: "SIM_ERR_DEFINITION_INVALID",
      message: `handleIn of channel "room:*" must have events of at most 16 (bytes, maxEventBytes), got 18 in "${event}"`,
    });
  });

  it("refuses a star that is not at the end", () => {
    for (const pattern of ["*:room", "ro*om", "room:**", "**"]) {
      assert.throws(() => routed(pattern), {
        code: "SIM_ERR_TOPIC_PATTERN",
        message: `topic pattern must have its * at the end, got "${pattern}"`,
      });
    }
  });
});
