import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { makeError } from "../../src/errors.ts";
import type { ShardContext } from "../../src/channel/context.ts";
import {
  defineChannel,
  defineEndpoint,
  defineSocket,
  ok,
  reply,
  type Broadcast,
} from "../../src/index.ts";
import {
  assertPush,
  assertReply,
  closeApp,
  connect,
  refutePush,
  subscribeAndJoin,
} from "../../src/testing/index.ts";
import { channel } from "../support/world.ts";
import { atOnce, startShard } from "../support/shard.ts";

const socket = defineSocket({ connect: () => ok({}) });

/** A room whose handlers use the context; the test gets what `watch` subscribes to. */
const heard: Broadcast[] = [];
let unwatch = (): void => {};
const room = defineChannel(socket, {
  join: () => ok(),
  handleIn: {
    others: (member) =>
      member.context.broadcast(member.topic, "said", { by: "one" }, { except: member }),
    near: (member) =>
      member.context.broadcast(member.topic, "said", {}, { except: member, scope: "node" }),
    watch(member) {
      unwatch = member.context.subscribe(member.topic, (broadcast) => void heard.push(broadcast));
      return reply("ok");
    },
  },
});
const app = defineEndpoint({ sockets: { "/socket": { socket, channels: { "room:*": room } } } });

describe("a shard's context", () => {
  it("is one object for start, stop and routes, with data, numbers and the secret", async () => {
    const seen: ShardContext[] = [];
    const note = (context: ShardContext): void => void seen.push(context);
    const shard = await startShard(
      {
        sockets: { "/socket": { socket, channels: { "room:*": channel() } } },
        routes: {
          "GET /": (_, context) => {
            note(context);
            return { status: 200 };
          },
        },
        async start(context) {
          context["db"] = "a database";
          note(context);
        },
        stop: note,
      },
      { shards: 3 },
      { shard: 2, data: { url: "x" } },
    );
    await (await fetch(`http://127.0.0.1:${shard.port}/`)).text();
    await shard.shard.drain(atOnce(1_000));
    assert.equal(seen.length, 2, "routes may still need what stop ends");
    await shard.shard.finish();
    await shard.shard.finish();
    shard.close();
    const [first] = seen;
    assert.ok(first);
    assert.equal(seen.length, 3);
    assert.ok(seen.every((context) => context === first));
    const { data, shard: at, shards, secretKeyBase } = first;
    assert.deepEqual([data, at, shards, secretKeyBase], [{ url: "x" }, 2, 3, "s".repeat(64)]);
    assert.equal(first["db"], "a database");
  });

  it("reports whether the node is ready, as set by main", async () => {
    let context: ShardContext | undefined;
    const shard = await startShard({ sockets: {}, start: (given) => void (context = given) });
    const seen = [true, false].map((isReady) => {
      shard.life.setReady(isReady);
      return context?.isReady;
    });
    shard.close();
    assert.deepEqual(seen, [true, false]);
  });

  it("fails the start of its shard if start throws", async () => {
    const boom = makeError("SIM_ERR_INTERNAL", "no database");
    for (const start of [
      (): never => {
        throw boom;
      },
      (): Promise<never> => Promise.reject(boom),
    ]) {
      await assert.rejects(startShard({ sockets: {}, start }), boom);
    }
  });

  it("broadcasts to all subscribers but a channel of its own", async () => {
    const [one, two] = await Promise.all(
      [0, 1].map(async () => subscribeAndJoin(await connect(app), "room:1")),
    );
    assert.ok(one && two);
    for (const event of ["others", "near"]) {
      one.channel.push(event);
      await assertPush(two.channel, "said", event === "others" ? { by: "one" } : {});
      await refutePush(one.channel, "said", undefined, { timeoutMs: 20 });
    }
    await closeApp(app);
  });

  it("subscribes the shard's own code to a topic, until it unsubscribes", async () => {
    const { channel: member } = await subscribeAndJoin(await connect(app), "room:1");
    await assertReply(member.push("watch"), "ok");
    member.push("others");
    await assertReply(member.push("watch"), "ok");
    const broadcast = { topic: "room:1", event: "said", payload: { by: "one" } };
    assert.deepEqual(heard, [broadcast]);
    unwatch();
    member.push("others");
    await assertReply(member.push("watch"), "ok");
    // The first subscription is still there.
    assert.deepEqual(heard, [broadcast, broadcast]);
    await closeApp(app);
  });

  it("broadcasts to this node's channels, and refuses payloads that cannot be sent", async () => {
    let context: ShardContext | undefined;
    const shard = await startShard({ sockets: {}, start: (given) => void (context = given) });
    try {
      assert.ok(context);
      for (const send of [
        () => context?.broadcast("t", "e"),
        () => context?.broadcast("t", "e", { n: 1 }),
        () => context?.broadcast("t", "e", {}, { scope: "node" }),
        () => context?.broadcast("t", "e", {}, { node: "unknown" }),
        () => context?.disconnect("users:1"),
      ]) {
        send();
      }
      assert.equal(shard.counter("broadcasts"), 4);
      assert.throws(() => context?.broadcast("t", "e", [1]), { code: "SIM_ERR_PAYLOAD" });
      assert.throws(() => context?.broadcast("t", 5 as never), { code: "SIM_ERR_PAYLOAD" });
      assert.throws(() => context?.broadcast(5 as never, "e"), { code: "SIM_ERR_PAYLOAD" });
      for (const options of [{}, { scope: "node" }, { node: "elsewhere" }] as const) {
        assert.throws(() => context?.broadcast("phx_presence:x", "e", {}, options), {
          code: "SIM_ERR_PAYLOAD",
          message: `topic must not be reserved by the server, got "phx_presence:x"`,
        });
      }
      const only = "options of a broadcast may only be scope, node, history, except";
      const wrong: [object, string][] = [
        [{ scop: "node" }, `${only}, got scop`],
        [null as never, "options of a broadcast must be an object, got null"],
        ["node" as never, "options of a broadcast must be an object, got string"],
        [{ except: "room:1" }, 'except must be the socket of a channel, got "room:1"'],
        [{ scope: "all" }, 'scope must be "cluster", "node" or "thread", got "all"'],
        [{ node: 1 }, "node must be the name of a node, got 1"],
        [{ node: "bee", scope: "node" }, "node must be given without scope, got node"],
      ];
      for (const [options, message] of wrong) {
        assert.throws(() => context?.broadcast("t", "e", {}, options), {
          code: "SIM_ERR_OPTION_INVALID",
          message,
        });
      }
    } finally {
      shard.close();
    }
  });
});
