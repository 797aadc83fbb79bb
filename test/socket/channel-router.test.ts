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
    const match = routed("*", "phx_presence:*", "phx_presence:rooms");
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

  it("refuses a star that is not at the end", () => {
    for (const pattern of ["*:room", "ro*om", "room:**", "**"]) {
      assert.throws(() => routed(pattern), {
        code: "SIM_ERR_TOPIC_PATTERN",
        message: `topic pattern must have its * at the end, got "${pattern}"`,
      });
    }
  });
});
