/**
 * The README's example of a presence, tested as a user would.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

import {
  assertBroadcast,
  assertPush,
  closeApp,
  connect,
  join,
  leave,
  refutePush,
  subscribeAndJoin,
} from "simurgh/testing";
import app, { presence } from "./presence/app.ts";

const isRef = (ref: unknown): boolean => /^[\w-]{16}$/.test(String(ref));

afterEach(() => closeApp(app));

describe("the README's presence", () => {
  it("announces a client that joins, and sends it the list of presences", async () => {
    const ann = await connect(app, { params: { user: "ann" } });
    const { channel } = await subscribeAndJoin(ann, "room:1", { device: "phone" });
    const metas = [{ device: "phone", phx_ref: isRef }];
    await assertPush(channel, "presence_state", { ann: { metas } });
    await assertBroadcast(channel, "presence_diff", { joins: { ann: { metas } }, leaves: {} });

    const bob = await connect(app, { params: { user: "bob" } });
    const { channel: other } = await join(bob, "room:1");
    await assertPush(other, "presence_state", { ann: { metas }, bob: {} });
    await assertPush(channel, "presence_diff", { joins: { bob: {} } });
  });

  it("announces a client that leaves, in whatever way", async () => {
    const ann = await connect(app, { params: { user: "ann" } });
    const { channel } = await join(ann, "room:1");
    for (const user of ["bob", "cat"]) {
      const { channel: other } = await join(await connect(app, { params: { user } }), "room:1");
      await assertPush(channel, "presence_diff", { joins: { [user]: {} } });
      if (user === "bob") await leave(other);
      else other.socket.connection.lose(1006);
      await assertPush(channel, "presence_diff", { leaves: { [user]: {} } });
    }
    assert.deepEqual(Object.keys(presence.list(ann.context, "room:1")), ["ann"]);
    await refutePush(channel, "presence_diff", { leaves: { ann: {} } }, { timeoutMs: 10 });
  });

  it("starts empty with each app, and belongs to no app afterwards", async () => {
    const ann = await connect(app, { params: { user: "ann" } });
    await join(ann, "room:1");
    assert.equal(presence.getByKey("room:1", "ann")?.metas.length, 1);
    const { context } = ann;
    await closeApp(app);
    assert.throws(() => presence.list(context, "room:1"), { code: "SIM_ERR_PRESENCE" });
    const again = await connect(app, { params: { user: "bob" } });
    assert.deepEqual({ ...presence.list(again.context, "room:1") }, {});
  });
});
