import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ok } from "../../src/callbacks/results.ts";
import { jsonV2 } from "../../src/protocol/json-v2.ts";
import type { Serializer } from "../../src/protocol/serializer.ts";
import { boom } from "../support/channel-frames.ts";
import { channel, World, type ConnectOptions, type WorldClient } from "../support/world.ts";

const LIMITS = { maxTopicBytes: 32, maxEventBytes: 16, maxJsonDepth: 16 };
const TOPIC = `room:${"t".repeat(27)}`;
const EVENT = "e".repeat(16);
const OK = '{"status":"ok","response":{}}';

/** A payload of some length, as JSON. */
function payloadOf(length: number): string {
  return `{"x":"${"y".repeat(length)}"}`;
}

function error(reason: string): string {
  return `{"status":"error","response":{"reason":"${reason}"}}`;
}

function deep(levels: number): string {
  return "[".repeat(levels) + "]".repeat(levels);
}

interface Decodes {
  heads: number;
  frames: number;
}

/** Version 2, which counts what it decodes. */
function counting(decodes: Decodes): Serializer {
  return {
    ...jsonV2,
    decodeHead(frame) {
      decodes.heads += 1;
      return jsonV2.decodeHead?.(frame);
    },
    decode(frame, maxDepth) {
      decodes.frames += 1;
      return jsonV2.decode(frame, maxDepth);
    },
  };
}

/** A client that has joined, and what its frames cost. */
function counted(world: World): { client: WorldClient; decodes: Decodes } {
  const decodes = { heads: 0, frames: 0 };
  const client = world.connect({ serializer: counting(decodes) });
  client.asked('["1","1","room:1","phx_join",{}]');
  decodes.frames = 0;
  return { client, decodes };
}

function longFrame(ref: string): string {
  return `["1","${ref}","room:1","${EVENT}",${payloadOf(2_000)}]`;
}

function makeWorld(): World {
  const handleIn = { [EVENT]: () => ok() };
  return new World({ channels: { "room:*": channel({ handleIn }) }, ...LIMITS });
}

describe("a topic", () => {
  it("may have as many bytes as maxTopicBytes, on any version", () => {
    const world = makeWorld();
    assert.deepEqual(world.connect().asked(`["1","1","${TOPIC}","phx_join",{}]`), [
      `["1","1","${TOPIC}","phx_reply",${OK}]`,
    ]);
    const v1 = world.connect({ vsn: "1.0.0" });
    const join = `{"topic":"${TOPIC}","event":"phx_join","payload":{},"ref":"1"}`;
    assert.deepEqual(v1.asked(join), [
      `{"topic":"${TOPIC}","event":"phx_reply","payload":${OK},"ref":"1"}`,
    ]);
  });

  it("that is longer is answered with an error, and nothing is joined", () => {
    const world = makeWorld();
    const why = error("topic too long");
    for (const topic of [`${TOPIC}t`, "room:éééééééééééééé", `room:${"t".repeat(2_000)}`]) {
      const client = world.connect();
      assert.deepEqual(client.asked(`["1","2","${topic}","phx_join",{}]`), [
        `["1","2","${topic}","phx_reply",${why}]`,
      ]);
      assert.deepEqual(client.asked(`["1","3","${topic}","ping",${payloadOf(2_000)}]`), [
        `["1","3","${topic}","phx_reply",${why}]`,
      ]);
      const v1 = world.connect({ vsn: "1.0.0" });
      const join = `{"topic":"${topic}","event":"phx_join","payload":{},"ref":"1"}`;
      assert.deepEqual(v1.asked(join), [
        `{"topic":"${topic}","event":"phx_reply","payload":${why},"ref":"1"}`,
      ]);
    }
    assert.equal(world.count, 0);
    assert.deepEqual(world.troubles(), []);
  });

  it("that is longer is ignored in a message without a ref", () => {
    const world = makeWorld();
    const client = world.connect();
    assert.deepEqual(client.asked(`["1",null,"${TOPIC}t","phx_join",{}]`), []);
    assert.equal(client.connection.isOpen, true);
  });

  it("that is longer is refused in a binary frame too", () => {
    const topic = `${TOPIC}t`;
    const lengths = Buffer.from([0, 1, 1, topic.length, 8]).toString("hex");
    const rest = Buffer.from(`12${topic}phx_join`).toString("hex");
    const client = makeWorld().connect();
    client.sendHex(`${lengths} ${rest}`);
    assert.deepEqual(client.taken(), [
      `["1","2","${topic}","phx_reply",${error("topic too long")}]`,
    ]);
  });
});

describe("a serializer of user code that throws", () => {
  it("closes its connection, even if it only had to read the head or to write a refusal", () => {
    for (const [broken, frame] of [
      [{ decodeHead: boom }, longFrame("2")],
      [{ reply: boom }, `["1","1","${TOPIC}t","phx_join",{}]`],
    ] as const) {
      const world = makeWorld();
      const client = world.connect({ serializer: { ...jsonV2, ...broken } });
      client.send(frame);
      assert.equal(client.connection.closeCode, 1011);
      assert.equal(world.lastError(), "boom");
    }
  });
});

describe("an event", () => {
  it("may have as many bytes as maxEventBytes; a longer one costs no channel", () => {
    const world = makeWorld();
    const client = world.joined(["room:1"]);
    const long = `${EVENT}e`;
    assert.deepEqual(client.asked(`["11","2","room:1","${EVENT}",{}]`), [
      `["11","2","room:1","phx_reply",${OK}]`,
    ]);
    for (const payload of ["{}", payloadOf(2_000)]) {
      assert.deepEqual(client.asked(`["11","3","room:1","${long}",${payload}]`), [
        `["11","3","room:1","phx_reply",${error("event too long")}]`,
      ]);
    }
    assert.deepEqual(client.asked(`["11",null,"room:1","${long}",{}]`), []);
    assert.equal(world.count, 1);
  });
});

describe("a ref", () => {
  it("of more than 4 096 characters makes a frame malformed", () => {
    const [most, more] = ["r".repeat(4_096), "r".repeat(4_097)];
    const client = makeWorld().connect();
    assert.deepEqual(client.asked(`["1","${most}","phoenix","heartbeat",{}]`), [
      `[null,"${most}","phoenix","phx_reply",${OK}]`,
    ]);
    for (const frame of [
      `["1","${more}","phoenix","heartbeat",{}]`,
      `["${more}","1","room:1","phx_join",{}]`,
    ]) {
      const other = makeWorld().connect();
      assert.deepEqual(other.asked(frame), []);
      assert.equal(other.connection.closeCode, 1011);
    }
  });
});

describe("a long message that is nested deeper than maxJsonDepth", () => {
  const frames: readonly [string, ConnectOptions, (payload: string) => string][] = [
    ["version 2", {}, (payload) => `["1","1","phoenix","heartbeat",${payload}]`],
    [
      "version 1",
      { vsn: "1.0.0" },
      (payload) => `{"topic":"phoenix","event":"heartbeat","payload":${payload},"ref":"1"}`,
    ],
  ];
  for (const [version, options, frameOf] of frames) {
    it(`closes the connection with 1011 on ${version}`, () => {
      const long = `"${"x".repeat(4_096)}"`;
      for (const [payload, code] of [
        [`[${long},${deep(14)}]`, undefined],
        [`[${long},${deep(15)}]`, 1011],
        [deep(2_000), undefined],
        [deep(2_500), 1011],
      ] as const) {
        const client = makeWorld().connect(options);
        client.send(frameOf(payload));
        assert.equal(client.connection.closeCode, code);
        assert.equal(client.taken().length, code === undefined ? 1 : 0);
      }
    });
  }
});

describe("a long frame of version 2", () => {
  const messages = { limit: 1, perMs: 1_000, burst: 3 };
  const limited = '{"reason":"rate_limited","retry_after":1000}';

  it("that is over a limit of the socket is refused by its head", () => {
    const handleIn = { [EVENT]: () => ok() };
    const world = new World({
      channels: { "room:*": channel({ handleIn }) },
      limits: { messages },
    });
    const { client, decodes } = counted(world);
    assert.deepEqual(client.asked(longFrame("2"), longFrame("3"), longFrame("4")), [
      `["1","2","room:1","phx_reply",${OK}]`,
      `["1","3","room:1","phx_reply",${OK}]`,
      `["1","4","room:1","phx_reply",{"status":"error","response":${limited}}]`,
    ]);
    assert.deepEqual(decodes, { heads: 3, frames: 2 });
  });

  it("that is over a limit of its channel is refused by its head, and counted once", () => {
    const handleIn = { [EVENT]: () => ok() };
    const world = new World({
      channels: { "room:*": channel({ handleIn, limits: { messages } }) },
    });
    const { client, decodes } = counted(world);
    assert.deepEqual(client.asked(longFrame("2"), longFrame("3"), longFrame("4"), longFrame("5")), [
      `["1","2","room:1","phx_reply",${OK}]`,
      `["1","3","room:1","phx_reply",${OK}]`,
      `["1","4","room:1","phx_reply",${OK}]`,
      `["1","5","room:1","phx_reply",{"status":"error","response":${limited}}]`,
    ]);
    assert.deepEqual(decodes, { heads: 4, frames: 3 });
  });

  it("closes the connection with 1011 if its payload is malformed", () => {
    const { client } = counted(makeWorld());
    assert.deepEqual(client.asked(`["1","2","room:1","${EVENT}",{"x":"${"y".repeat(2_000)}}]`), []);
    assert.equal(client.connection.closeCode, 1011);
  });

  it("is decoded as a whole if its head is not four scalars", () => {
    const { client, decodes } = counted(makeWorld());
    assert.deepEqual(client.asked(`[["1"],"2",["room"],"x",${payloadOf(2_000)}]`), [
      `[null,"2",["room"],"phx_reply",${error("unmatched topic")}]`,
    ]);
    assert.equal(decodes.frames, 1);
  });
});

describe("the head of a frame of version 2", () => {
  it("is what the whole frame begins with", () => {
    const heads = [
      '["1","2","a,b]\\"c","e",',
      '[ null , 2 , "t" , "e" , ',
      '[true,-1.5e3,"t",null,',
    ];
    for (const head of heads) {
      for (const payload of ["{}", '[1,"]"]', '"x"', '{"a":{"b":[","]}},"more"']) {
        const { hasMore: _, ...whole } = jsonV2.decode(`${head}${payload}]`) ?? {};
        assert.deepEqual(jsonV2.decodeHead?.(`${head}${payload}]`), {
          ...whole,
          payload: undefined,
        });
      }
    }
  });

  it("does not exist in other texts", () => {
    const texts = [
      "",
      "[",
      "[1,2,3,4]",
      '["1","2","t"',
      '{"a":["1","2","t","e",{}]}',
      "[[],2,3,4,5]",
    ];
    texts.push("nope[1,2,3,4,5]", '["1","2","t","\\ud800",{}]', "[a,b,c,d,e]", '["1","2","t","e');
    for (const text of texts) assert.equal(jsonV2.decodeHead?.(text), undefined, text);
  });
});
