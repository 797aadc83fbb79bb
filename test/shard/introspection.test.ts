/**
 * A shard's answer about a channel whose assigns cannot be sent to another thread.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { answerOf } from "../../src/shard/introspection.ts";
import { channel, World } from "../support/world.ts";

describe("a channel in a shard's answer", () => {
  it("has its assigns as text if they cannot be sent to another thread", async () => {
    const world = new World({ channels: { "room:*": channel() } });
    const clients = [{ n: 1 }, { work: (): void => {} }].map((assigns) =>
      world.joined(["room:1"], { assigns }),
    );
    const sockets = (): (typeof clients)[number]["socket"][] => clients.map(({ socket }) => socket);
    const presences = { answer: () => assert.fail("presences were asked") };
    const of = { shard: 0, pubsub: world.member.pubsub, sockets, presences };
    const answers = [0, 1].map((connection) =>
      answerOf({ about: "channel", connection, topic: "room:1" }, of),
    );
    const told = (await Promise.all(answers)) as unknown as { readonly assigns: unknown }[];
    const assigns = told.map((details) => details.assigns);
    assert.deepEqual(assigns, [{ n: 1 }, "{ work: [Function: work] }"]);
  });
});
