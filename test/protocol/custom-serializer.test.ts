/**
 * Users' own serializers: their arguments, and how their results are used.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ok } from "../../src/callbacks/results.ts";
import { defineSerializer } from "../../src/protocol/custom-serializer.ts";
import type { SerializerCallbacks, ServerMessage } from "../../src/protocol/custom-serializer.ts";
import { jsonV2 } from "../../src/protocol/json-v2.ts";
import type { Serializer } from "../../src/protocol/serializer.ts";
import { negotiate, serializersOf } from "../../src/protocol/version.ts";
import { channel, turn, World } from "../support/world.ts";
import type { WorldClient } from "../support/world.ts";

/** Words separated by spaces: join_ref, ref, topic, event, and the payload as JSON. `-` is null. */
function words(more: Partial<SerializerCallbacks> = {}): Serializer {
  return defineSerializer({
    decode(frame) {
      const [joinRef, ref, topic, event, payload] = Buffer.from(frame).toString().split(" ");
      if (payload === undefined) return undefined;
      return {
        joinRef: orNull(joinRef),
        ref: orNull(ref),
        topic,
        event,
        payload: JSON.parse(payload),
      };
    },
    encode: written,
    ...more,
  });
}

function orNull(word: string | undefined): string | null {
  return word === undefined || word === "-" ? null : word;
}

function written({ joinRef, ref, topic, event, payload }: ServerMessage): string {
  return [joinRef ?? "-", ref ?? "-", topic, event, JSON.stringify(payload)].join(" ");
}

/** Words, except for messages with some events. */
function failing(...events: readonly string[]): Serializer {
  return words({
    encode(message) {
      if (events.includes(message.event)) throw new Error("no form");
      return written(message);
    },
  });
}

const room = channel({
  handleIn: {
    echo: (_, payload) => ok(payload),
    push: (socket, payload) => socket.push("pushed", payload),
    shout: (socket, payload) => socket.broadcast("shout", payload),
    from: (socket, payload) => socket.broadcastFrom("shout", payload),
    secret: (socket, payload) => socket.broadcast("secret", payload),
    boom: () => {
      throw new Error("boom");
    },
  },
  intercept: { secret: (socket, payload) => socket.push("told", payload) },
});
const latest = channel({
  slow: "conflate",
  handleIn: { shout: (socket, payload) => socket.broadcast("shout", payload) },
});

function makeWorld(): World {
  return new World({ channels: { "room:*": room, "latest:*": latest, "plain:*": channel() } });
}

/** A client that has joined a topic in words. */
function joined(world: World, serializer: Serializer, topic = "room:1"): WorldClient {
  const client = world.connect({ serializer });
  client.send(`11 1 ${topic} phx_join {}`);
  assert.deepEqual(client.taken(), [`11 1 ${topic} phx_reply {"status":"ok","response":{}}`]);
  return client;
}

describe("a user's own serializer", () => {
  it("decodes and encodes everything between a client and its channels", () => {
    const client = joined(makeWorld(), words());
    assert.deepEqual(client.asked('11 2 room:1 echo {"a":1}', "11 3 room:1 push {}"), [
      '11 2 room:1 phx_reply {"status":"ok","response":{"a":1}}',
      "11 - room:1 pushed {}",
    ]);
    assert.deepEqual(client.asked("- 4 phoenix heartbeat {}", "- 5 nope x {}"), [
      '- 4 phoenix phx_reply {"status":"ok","response":{}}',
      '- 5 nope phx_reply {"status":"error","response":{"reason":"unmatched topic"}}',
    ]);
    assert.deepEqual(client.asked("11 6 room:1 boom {}"), [
      '11 11 room:1 phx_error {"reason":"channel_crash"}',
    ]);
    client.send("12 7 room:1 phx_join {}");
    client.taken();
    assert.deepEqual(client.asked("12 8 room:1 phx_leave {}"), [
      '12 8 room:1 phx_reply {"status":"ok","response":{}}',
      "12 12 room:1 phx_close {}",
    ]);
  });

  it("may encode binary frames, and decodes them", () => {
    const bytes = words({ encode: (message) => Buffer.from(written(message)) });
    const client = makeWorld().connect({ serializer: bytes });
    client.sendHex(Buffer.from("11 1 room:1 phx_join {}").toString("hex"));
    const reply = Buffer.from('11 1 room:1 phx_reply {"status":"ok","response":{}}').toString(
      "hex",
    );
    assert.deepEqual(client.taken(), [`hex ${reply}`]);
    const closed = Buffer.from("11 11 room:1 phx_close {}").toString("hex");
    client.sendHex(Buffer.from("11 2 room:1 phx_leave {}").toString("hex"));
    assert.equal(client.taken().at(-1), `hex ${closed}`);
  });

  it("encodes a broadcast once for all of a topic, next to clients on other versions", () => {
    let count = 0;
    const counting = words({
      fastlane(message) {
        count += 1;
        return `fast ${written(message)}`;
      },
    });
    const world = makeWorld();
    const [one, two] = [joined(world, counting), joined(world, counting)];
    const other = world.joined(["room:1"]);
    one.send('11 2 room:1 shout {"n":1}');
    const frame = 'fast - - room:1 shout {"n":1}';
    assert.deepEqual([one.taken(), two.taken(), count], [[frame], [frame], 1]);
    assert.deepEqual(other.taken(), ['[null,null,"room:1","shout",{"n":1}]']);
    one.send('11 3 room:1 from {"n":2}');
    assert.deepEqual([one.taken(), two.taken().length, count], [[], 1, 2]);
    other.send('["11","4","room:1","shout",{"n":3}]');
    assert.deepEqual(one.taken(), ['fast - - room:1 shout {"n":3}']);
  });

  it("is asked to encode a broadcast if it has no fastlane", () => {
    const world = makeWorld();
    const client = joined(world, words());
    world.member.broadcast("room:1", "said", { text: 'hé"' });
    assert.deepEqual(client.taken(), ['- - room:1 said {"text":"hé\\""}']);
  });

  it("gets bytes unchanged, even if another version cannot represent them", () => {
    const seen: unknown[] = [];
    const world = makeWorld();
    const client = joined(
      world,
      words({
        fastlane(message) {
          seen.push(message.payload);
          return "bytes";
        },
      }),
    );
    world.member.broadcast("room:1", "said", new Uint8Array([1, 2]));
    assert.deepEqual(seen, [new Uint8Array([1, 2])]);
    assert.deepEqual(client.taken(), ["bytes"]);
  });

  it("works with channels that intercept, and those with a queue", () => {
    const world = makeWorld();
    const client = joined(world, words());
    client.send("11 2 room:1 secret {}");
    assert.deepEqual(client.taken(), ["11 - room:1 told {}"]);
    const slow = joined(world, words(), "latest:1");
    slow.connection.gainRoom(0);
    slow.send('11 2 latest:1 shout {"n":1}', '11 3 latest:1 shout {"n":2}');
    assert.deepEqual(slow.taken(), []);
    slow.connection.setRoom(5);
    assert.deepEqual(slow.taken(), ['- - latest:1 shout {"n":2}']);
  });

  it("is published natively, or sent one by one on other transports", () => {
    const world = makeWorld();
    const serializer = words();
    const native = joined(world, serializer);
    const plain = world.connect({ serializer, isNative: false });
    plain.send("11 1 room:1 phx_join {}");
    plain.taken();
    world.publisher.published.length = 0;
    world.member.broadcast("room:1", "said");
    assert.equal(world.publisher.published.length, 1);
    assert.deepEqual(
      [native.taken(), plain.taken()],
      [["- - room:1 said {}"], ["- - room:1 said {}"]],
    );
  });

  it("may broadcast itself, without affecting what others get", () => {
    let isFirst = true;
    const world = makeWorld();
    const meddling = words({
      fastlane(message) {
        if (isFirst) {
          isFirst = false;
          world.member.broadcast("other:1", "noise", { fill: "x".repeat(100) });
        }
        return written(message);
      },
    });
    const clients = [joined(world, meddling), joined(world, words())];
    world.member.broadcast("room:1", "said", { n: 1 });
    for (const client of clients) assert.deepEqual(client.taken(), ['- - room:1 said {"n":1}']);
  });

  it("that cannot encode a broadcast leaves it out for its subscribers, and they are told", () => {
    const world = makeWorld();
    const broken = words({
      fastlane() {
        throw new Error("no form");
      },
    });
    const client = joined(world, broken);
    const other = world.joined(["room:1"]);
    world.member.broadcast("room:1", "said");
    assert.deepEqual(client.taken(), ['11 11 room:1 phx_error {"reason":"missed broadcasts"}']);
    assert.deepEqual(other.taken(), ['[null,null,"room:1","said",{}]']);
    assert.match(world.lastError(), /could not write a broadcast: Error: no form$/);
  });

  it("that cannot encode a broadcast does not end the channel during the callback that broadcasts it", async () => {
    const broken = words({
      fastlane() {
        throw new Error("no form");
      },
    });
    const client = joined(makeWorld(), broken);
    client.send("11 2 room:1 shout {}");
    await turn();
    assert.deepEqual(client.taken(), ['11 11 room:1 phx_error {"reason":"missed broadcasts"}']);
  });

  it("that cannot decode a frame closes its connection with 1011, and no other", () => {
    for (const frame of ["malformed", "11 2 room:1 echo {"]) {
      const world = makeWorld();
      const client = joined(world, words());
      const other = joined(world, words());
      client.send(frame);
      assert.equal(client.connection.closeCode, 1011);
      assert.deepEqual(other.asked("11 2 room:1 echo {}").length, 1);
    }
  });

  it("that cannot encode an answer closes its connection with 1011", () => {
    for (const [event, frame] of [
      ["phx_close", "11 2 room:1 phx_leave {}"],
      ["phx_error", "11 2 room:1 boom {}"],
    ] as const) {
      const world = makeWorld();
      const client = joined(world, failing(event));
      client.send(frame);
      assert.equal(client.connection.closeCode, 1011, event);
      assert.equal(world.count, 0);
    }
    const world = makeWorld();
    const client = world.connect({ serializer: failing("phx_reply") });
    client.send("11 1 room:1 phx_join {}");
    assert.equal(client.connection.closeCode, 1011);
    assert.equal(client.socket.allChannels().length, 0);
  });

  it("that cannot encode a push crashes the channel", () => {
    const world = makeWorld();
    const client = joined(
      world,
      words({
        encode(message) {
          return message.event === "pushed" ? (7 as never) : written(message);
        },
      }),
    );
    assert.deepEqual(client.asked("11 2 room:1 push {}"), [
      '11 11 room:1 phx_error {"reason":"channel_crash"}',
    ]);
    assert.equal(world.lastError(), "encode must return a string or a Uint8Array, got number");
  });

  it("must have functions", () => {
    const right = { decode: () => undefined, encode: () => "" };
    for (const name of ["decode", "encode", "fastlane"]) {
      assert.throws(() => defineSerializer({ ...right, [name]: 7 }), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message: `${name} must be a function, got number`,
      });
    }
  });
});

function refused(list: unknown, message: string): void {
  assert.throws(() => serializersOf("serializers of /socket", list), {
    code: "SIM_ERR_DEFINITION_INVALID",
    message,
  });
}

describe("a list of serializers", () => {
  it("returns the first whose requirement matches", () => {
    const [mine, other] = [words(), words()];
    const list = serializersOf("serializers", [
      { serializer: mine, version: ">= 2.0.5 and < 4.0.0" },
      { serializer: jsonV2, version: "~> 2.0" },
      { serializer: other, version: "~> 3.0" },
    ]);
    const chosen = ["2.0.4", "2.0.5", "3.1.0", "2.9.9", "1.0.0", "4.0.0"].map((vsn) =>
      negotiate(vsn, list),
    );
    assert.deepEqual(chosen, [jsonV2, mine, mine, mine, undefined, undefined]);
    assert.equal(negotiate(undefined, list), undefined);
  });

  it("must contain serializers, and requirements of versions", () => {
    const form = "serializers of /socket must be a list of { serializer, version }";
    refused({}, `${form}, got object`);
    refused([], `${form}, got array`);
    const makers =
      "serializer of serializers of /socket must be jsonV1, jsonV2 or a result of defineSerializer";
    refused([{ version: "~> 2.0.0" }], `${makers}, got undefined`);
    refused([null], `${makers}, got undefined`);
    const version = 'version of serializers of /socket must be a requirement such as "~> 2.0.0"';
    refused([{ serializer: jsonV2 }], `${version}, got undefined`);
    refused([{ serializer: jsonV2, version: "2" }], `${version}, got "2"`);
  });
});
