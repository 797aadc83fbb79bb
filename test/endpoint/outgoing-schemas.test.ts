import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { z } from "zod";

import { ok } from "../../src/callbacks/results.ts";
import { defineChannel } from "../../src/channel/definition.ts";
import { typed } from "../../src/channel/schemas/typed.ts";
import { defineEndpoint } from "../../src/endpoint/endpoint.ts";
import { outgoingSchemasOf, TopicWriters } from "../../src/endpoint/outgoing-schemas.ts";
import { JsonText } from "../../src/protocol/json-text.ts";
import type { Server } from "../../src/server/server.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import { defineRawSocket } from "../../src/socket/raw-definition.ts";
import { assertBroadcast, closeApp, connect, subscribeAndJoin } from "../../src/testing/index.ts";
import { Client, joined } from "../support/client.ts";
import { startServer } from "../support/server.ts";

const NAME = {
  type: "object",
  properties: { name: { type: "string" } },
  required: ["name"],
  additionalProperties: false,
} as const;

const socket = defineSocket({ connect: () => ok({}) });
const join = (): ReturnType<typeof ok> => ok();
const strict = defineChannel(socket, { out: { said: NAME, bare: typed<object>() }, join });
const open = defineChannel(socket, { join });
const endpoint = defineEndpoint({
  sockets: {
    "/raw": { socket: defineRawSocket({ connect: () => ok({}), handleIn() {} }) },
    "/socket": {
      socket,
      channels: { "room:open": open, "room:*": { channel: strict }, exact: strict },
    },
    "/other": { socket, channels: { "room:open": strict, "free:*": open } },
  },
});

/** What is written for a payload, parsed. */
function written(writers: TopicWriters, topic: string, event: string, payload: object): unknown {
  const value = writers.written(topic, event, payload);
  return value instanceof JsonText ? value.json() : value;
}

describe("outgoing schemas of an endpoint", () => {
  const rows = outgoingSchemasOf(endpoint);

  it("are plain data, by mount and pattern", () => {
    assert.deepEqual(structuredClone(rows), [
      [],
      [
        { pattern: "room:open", schemas: {} },
        { pattern: "room:*", schemas: { said: NAME } },
        { pattern: "exact", schemas: { said: NAME } },
      ],
      [
        { pattern: "room:open", schemas: { said: NAME } },
        { pattern: "free:*", schemas: {} },
      ],
    ]);
  });

  it("leave out what a schema does not name, for exact topics and prefixes", () => {
    const writers = new TopicWriters(rows);
    const payload = { name: "ann", password: "secret" };
    for (const topic of ["room:1", "exact"]) {
      assert.deepEqual(written(writers, topic, "said", payload), { name: "ann" });
    }
    for (const [topic, event] of [
      ["exact:1", "said"],
      ["free:1", "said"],
      ["room:1", "bare"],
    ]) {
      assert.equal(writers.written(topic as string, event as string, payload), payload);
    }
  });

  it("are those of the first mount whose channel declares one", () => {
    assert.deepEqual(written(new TopicWriters(rows), "room:open", "said", { name: "a", x: 1 }), {
      name: "a",
    });
  });

  it("are the same on another thread, even of zod and with names that all objects have", () => {
    const out = Object.fromEntries([
      ["__proto__", JSON.parse('{"properties":{"__proto__":{"additionalProperties":false}}}')],
      ["tuple", z.toJSONSchema(z.object({ list: z.tuple([z.object({ a: z.int() })]) }))],
    ]) as Record<string, object>;
    const channel = defineChannel(socket, { out, join });
    const mount = { socket, channels: { "room:*": channel } };
    const sent = outgoingSchemasOf(defineEndpoint({ sockets: { "/socket": mount } }));
    const writers = new TopicWriters(structuredClone(sent));
    const named = JSON.parse('{"__proto__":{"secret":1}}') as object;
    assert.equal(
      JSON.stringify(written(writers, "room:1", "__proto__", named)),
      '{"__proto__":{}}',
    );
    assert.deepEqual(written(writers, "room:1", "tuple", { list: [{ a: 1, secret: 1 }] }), {
      list: [{ a: 1 }],
    });
  });

  it("refuse a payload that does not match", () => {
    assert.throws(() => new TopicWriters(rows).written("room:1", "said", { x: 1 }), {
      code: "SIM_ERR_PAYLOAD",
    });
  });

  it("apply to broadcasts of the context", async () => {
    const { channel } = await subscribeAndJoin(
      await connect(endpoint, { path: "/socket" }),
      "room:1",
    );
    channel.socket.app.shard.context.broadcast("room:1", "said", {
      name: "ann",
      password: "secret",
    });
    const payload = await assertBroadcast(channel, "said");
    assert.deepEqual(payload, { name: "ann" });
    await closeApp(endpoint);
  });
});

describe("outgoing schemas of a server's app", () => {
  let server: Server;
  before(async () => {
    server = await startServer("outgoing", { shards: 1 });
  });
  after(() => server.close());

  it("apply to broadcasts of the host", async () => {
    const client = await Client.connect(server.port);
    await joined(client, "room:1");
    server.broadcast("room:1", "said", { name: "ann", password: "secret" });
    const { payload } = await client.next("said");
    assert.deepEqual(payload, { name: "ann" });
    assert.throws(() => server.broadcast("room:1", "said", { password: "secret" }), {
      code: "SIM_ERR_PAYLOAD",
    });
    await client.close();
  });
});
