import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { error, ok } from "../../src/callbacks/results.ts";
import { TestNode } from "../support/members.ts";
import { channel, Deferred, turn, World } from "../support/world.ts";

const UNMATCHED = '{"status":"error","response":{"reason":"unmatched topic"}}';
const OK = '{"status":"ok","response":{}}';

const room = channel({
  handleIn: {
    echo: (_, payload) => ok(payload),
    name: (socket) => ok({ joinRef: socket.joinRef }),
    quiet: () => undefined,
  },
});

function makeWorld(options: { maxChannels?: number; joins?: "async" | "serial" } = {}): World {
  return new World({ channels: { "room:*": room }, ...options });
}

/** A channel whose joins the test answers, one after the other. */
function makeSlow(): { slow: ReturnType<typeof channel>; joins: Deferred[] } {
  const joins: Deferred[] = [];
  const slow = channel({
    join: () => {
      const join = new Deferred();
      joins.push(join);
      return join.promise as never;
    },
    handleIn: { echo: (_, payload) => ok(payload) },
  });
  return { slow, joins };
}

describe("a frame of version 2", () => {
  const cases: readonly [string, string[], string[]][] = [
    [
      "1: a heartbeat is answered with join_ref null, whatever came",
      ['["7","1","phoenix","heartbeat",{}]', '[null,null,"phoenix","heartbeat",7]'],
      [`[null,"1","phoenix","phx_reply",${OK}]`, `[null,null,"phoenix","phx_reply",${OK}]`],
    ],
    [
      "3: a join is answered with its join_ref and ref",
      ['["11","1","room:1","phx_join",{}]'],
      [`["11","1","room:1","phx_reply",${OK}]`],
    ],
    [
      "4: a join of a topic without a route is answered with join_ref null",
      ['["11","1","nope:1","phx_join",{}]'],
      [`[null,"1","nope:1","phx_reply",${UNMATCHED}]`],
    ],
    [
      "5: a second join of a topic, even the same, replaces the first",
      ['["11","1","room:1","phx_join",{}]', '["11","1","room:1","phx_join",{}]'],
      [
        `["11","1","room:1","phx_reply",${OK}]`,
        `["11","1","room:1","phx_reply",${OK}]`,
        '["11","11","room:1","phx_close",{}]',
      ],
    ],
    [
      "6: a leave with its join_ref, or none, is answered by the channel",
      ['["11","1","room:1","phx_join",{}]', '["11","2","room:1","phx_leave",{}]'],
      [
        `["11","1","room:1","phx_reply",${OK}]`,
        `["11","2","room:1","phx_reply",${OK}]`,
        '["11","11","room:1","phx_close",{}]',
      ],
    ],
    [
      "6: a leave without a join_ref",
      ['["11","1","room:1","phx_join",{}]', '[null,"2","room:1","phx_leave",{}]'],
      [
        `["11","1","room:1","phx_reply",${OK}]`,
        `["11","2","room:1","phx_reply",${OK}]`,
        '["11","11","room:1","phx_close",{}]',
      ],
    ],
    [
      "7, 9: a leave and an event with another join_ref are ignored",
      [
        '["11","1","room:1","phx_join",{}]',
        '["12","2","room:1","phx_leave",{}]',
        '["12","3","room:1","echo",{}]',
        '["","4","room:1","echo",{}]',
        '[11,"5","room:1","echo",{}]',
      ],
      [`["11","1","room:1","phx_reply",${OK}]`],
    ],
    [
      "8: an event with its join_ref, or none, goes to the channel",
      [
        '["11","1","room:1","phx_join",{}]',
        '["11","2","room:1","echo",{"n":1}]',
        '[null,3,"room:1","echo",[2]]',
      ],
      [
        `["11","1","room:1","phx_reply",${OK}]`,
        '["11","2","room:1","phx_reply",{"status":"ok","response":{"n":1}}]',
        '["11",3,"room:1","phx_reply",{"status":"ok","response":[2]}]',
      ],
    ],
    [
      "10: a leave of a topic that is not joined is answered with ok, and its own refs",
      ['["11","1","room:1","phx_leave",{}]', '[null,2,"nope:1","phx_leave",{}]'],
      [`["11","1","room:1","phx_reply",${OK}]`, `[null,2,"nope:1","phx_reply",${OK}]`],
    ],
    [
      "11: anything else of a topic that is not joined is unmatched",
      ['["11","1","room:1","echo",{}]', '["11",{"a":1},"phoenix","echo",{}]'],
      [
        `[null,"1","room:1","phx_reply",${UNMATCHED}]`,
        `[null,{"a":1},"phoenix","phx_reply",${UNMATCHED}]`,
      ],
    ],
    [
      "topics that are no strings are unmatched, and come back as they were",
      ['["1","2",7,"phx_join",{}]', '["1","3",null,"echo",{}]', '["1","4",true,"phx_leave",{}]'],
      [
        `[null,"2",7,"phx_reply",${UNMATCHED}]`,
        `[null,"3",null,"phx_reply",${UNMATCHED}]`,
        `["1","4",true,"phx_reply",${OK}]`,
      ],
    ],
    [
      "a join without a join_ref is joined under null, and pushes under its ref",
      [
        '[null,"1","room:1","phx_join",{}]',
        '["1","2","room:1","echo",{}]',
        '[null,"3","room:1","echo",{}]',
      ],
      [
        `[null,"1","room:1","phx_reply",${OK}]`,
        '["1","3","room:1","phx_reply",{"status":"ok","response":{}}]',
      ],
    ],
    [
      "a join_ref of false says nothing to the channel, as null, and is what the join is known by",
      [
        '[false,"1","room:1","phx_join",{}]',
        '[false,"2","room:1","echo",{}]',
        '[false,"3","room:1","phx_leave",{}]',
      ],
      [
        `[false,"1","room:1","phx_reply",${OK}]`,
        `["1","2","room:1","phx_reply",${OK}]`,
        `["1","3","room:1","phx_reply",${OK}]`,
        '[false,false,"room:1","phx_close",{}]',
      ],
    ],
    [
      "join_refs of any kind name a join, and come back as they were",
      ['[{"a":[1]},"1","room:1","phx_join",{}]', '[{"a":[1]},"2","room:1","phx_leave",{}]'],
      [
        `[{"a":[1]},"1","room:1","phx_reply",${OK}]`,
        `[{"a":[1]},"2","room:1","phx_reply",${OK}]`,
        '[{"a":[1]},{"a":[1]},"room:1","phx_close",{}]',
      ],
    ],
  ];
  for (const [name, frames, answers] of cases) {
    it(name, () => {
      assert.deepEqual(
        makeWorld()
          .connect()
          .asked(...frames),
        answers,
      );
    });
  }

  it("2: a join beyond maxChannels is refused, but an earlier topic may be joined again", () => {
    const world = makeWorld({ maxChannels: 2 });
    const client = world.joined(["room:1", "room:2"]);
    assert.deepEqual(client.asked('["13","3","room:3","phx_join",{}]'), [
      '["13","3","room:3","phx_reply",{"status":"error","response":{"reason":"too many channels joined"}}]',
    ]);
    assert.deepEqual(world.troubles(), ["too many channels joined"]);
    assert.equal(client.asked('["14","4","room:2","phx_join",{}]').length, 2);
    client.send('["11","5","room:1","phx_leave",{}]');
    client.taken();
    assert.deepEqual(client.asked('["15","6","room:3","phx_join",{}]'), [
      `["15","6","room:3","phx_reply",${OK}]`,
    ]);
  });

  it("2, 5: a join is refused while the shard accepts none; an earlier channel goes on, or is closed", () => {
    const world = makeWorld();
    const client = world.joined(["room:1", "room:2"]);
    world.takesMore = false;
    assert.deepEqual(client.asked('["13","3","room:3","phx_join",{}]'), [
      '["13","3","room:3","phx_reply",{"status":"error","response":{"reason":"overloaded"}}]',
    ]);
    assert.deepEqual(client.asked('["14","4","room:1","phx_join",{}]'), [
      '["14","4","room:1","phx_reply",{"status":"error","response":{"reason":"overloaded"}}]',
      '["11","11","room:1","phx_close",{}]',
    ]);
    assert.deepEqual([world.count, world.joinsRefused], [1, 2]);
    world.takesMore = true;
    assert.match(client.asked('["15","5","room:1","phx_join",{}]')[0] ?? "", /"status":"ok"/);
  });

  it("a large message is refused while the shard is overloaded, a small one is not", () => {
    const world = makeWorld();
    const client = world.joined(["room:1"]);
    const large = `["11","3","room:1","echo",{"a":"${"x".repeat(4_096)}"}]`;
    world.takesMore = false;
    assert.deepEqual(client.asked(large), [
      '["11","3","room:1","phx_reply",{"status":"error","response":{"reason":"overloaded"}}]',
    ]);
    assert.deepEqual(client.asked(large.replace('"3"', "null")), []);
    assert.match(client.asked('["11","4","room:1","echo",{"a":"x"}]')[0] ?? "", /"status":"ok"/);
    assert.deepEqual([world.count, world.messagesRefused], [1, 2]);
    world.takesMore = true;
    assert.match(client.asked(large)[0] ?? "", /"status":"ok"/);
  });

  it("4: is checked before 2: a topic without a route is unmatched, however many channels there are", () => {
    const client = makeWorld({ maxChannels: 1 }).joined(["room:1"]);
    assert.deepEqual(client.asked('["13","3","nope","phx_join",{}]'), [
      `[null,"3","nope","phx_reply",${UNMATCHED}]`,
    ]);
  });

  it("4, 11: an unmatched topic is logged as a warning, with topic and event", () => {
    const world = makeWorld();
    world.connect().send('["11","1","nope:1","phx_join",{}]', '["11","2","room:1","echo",{}]');
    const client = { connection: 0, id: null };
    assert.deepEqual(
      world.log.map(({ level, text, fields }) => [level, text, fields]),
      [
        ["warn", "unmatched topic", { topic: "nope:1", event: "phx_join", ...client }],
        ["warn", "unmatched topic", { topic: "room:1", event: "echo", ...client }],
      ],
    );
  });

  it("that is malformed closes the connection with 1011, and all its channels", () => {
    for (const frame of [
      "",
      "nope",
      "{}",
      '["1","2","t","e"]',
      '["1","2",{},"phx_join",{}]',
      '["1","2","room:1","e",{"x":"\\udc00"}]',
      `["1",${"[".repeat(100_000)}${"]".repeat(100_000)},"phoenix","heartbeat",{}]`,
    ]) {
      const world = makeWorld();
      const client = world.joined(["room:1", "room:2"]);
      client.send(frame);
      assert.equal(client.connection.closeCode, 1011);
      assert.equal(world.count, 0);
      assert.deepEqual(client.taken(), []);
      assert.deepEqual(world.troubles(), ["malformed frame: the connection was closed"]);
    }
  });

  it("that arrives after the connection has ended is ignored", () => {
    const world = makeWorld();
    const client = world.joined();
    client.connection.lose();
    client.send('["11","2","room:1","echo",{}]', '["12","3","room:2","phx_join",{}]');
    assert.equal(world.count, 0);
    assert.deepEqual(client.taken(), []);
  });

  it("reaches no channel of the topic on another connection", () => {
    const world = makeWorld();
    const [one, two] = [world.joined(), world.joined()];
    one.send('["11","2","room:1","phx_leave",{}]');
    two.send('["11","2","room:1","echo",{}]');
    assert.equal(two.taken().length, 1);
  });
});

/** Returns a binary frame as it is recorded. */
function hex(bytes: string): string {
  return `hex ${bytes.replaceAll(" ", "")}`;
}

function hexOf(text: string): string {
  return Buffer.from(text).toString("hex");
}

describe("a binary frame", () => {
  const JOIN = '["1","1","room:1","phx_join",{}]';
  // join_ref 1, ref 2, topic room:1, event echo, payload fe ff
  const ECHO = "00 01 01 06 04 31 32 726f6f6d3a31 6563686f feff";

  it("is answered with a binary frame, and can be mixed with text", () => {
    const client = makeWorld().connect();
    client.send(JOIN);
    client.sendHex(ECHO);
    client.send('["1","3","room:1","echo",{"n":1}]');
    assert.deepEqual(client.taken(), [
      '["1","1","room:1","phx_reply",{"status":"ok","response":{}}]',
      hex("01 01 01 06 02 31 32 726f6f6d3a31 6f6b feff"),
      '["1","3","room:1","phx_reply",{"status":"ok","response":{"n":1}}]',
    ]);
  });

  it("may be a join, a leave or a heartbeat; answers without bytes are text", () => {
    const client = makeWorld().connect();
    client.sendHex("00 01 01 06 08 31 31 726f6f6d3a31 7068785f6a6f696e");
    client.sendHex("00 00 01 07 09 35 70686f656e6978 686561727462656174");
    client.sendHex("00 01 01 06 09 31 32 726f6f6d3a31 7068785f6c65617665");
    assert.deepEqual(client.taken(), [
      '["1","1","room:1","phx_reply",{"status":"ok","response":{}}]',
      '[null,"5","phoenix","phx_reply",{"status":"ok","response":{}}]',
      '["1","2","room:1","phx_reply",{"status":"ok","response":{}}]',
      '["1","1","room:1","phx_close",{}]',
    ]);
    client.sendHex(ECHO);
    assert.deepEqual(client.taken(), [
      '[null,"2","room:1","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]',
    ]);
  });

  it("without a join_ref is stale on a joined topic, since its join_ref is not null", () => {
    const world = makeWorld();
    const client = world.connect();
    client.send(JOIN);
    client.taken();
    client.sendHex("00 00 01 06 04 32 726f6f6d3a31 6563686f 05");
    assert.deepEqual(client.taken(), []);
    assert.deepEqual(world.troubles(), []);
  });

  it("that is malformed closes the connection with 1011", () => {
    for (const frame of [
      "",
      "ff",
      "02 01 01 7465",
      "00 01 01 06 04 31",
      "00 00 00 02 01 fffe 65",
    ]) {
      const world = makeWorld();
      const client = world.joined();
      client.sendHex(frame);
      assert.equal(client.connection.closeCode, 1011, frame);
      assert.equal(world.count, 0);
      assert.deepEqual(world.troubles(), ["malformed frame: the connection was closed"]);
    }
  });

  it("is text on version 1, whose channel crashes if it sends bytes", () => {
    const client = makeWorld().connect({ vsn: "1.0.0" });
    client.sendHex(hexOf('{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}'));
    client.sendHex(hexOf('{"topic":"room:1","event":"echo","payload":{"n":1},"ref":"2"}'));
    assert.deepEqual(client.taken(), [
      '{"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"1"}',
      '{"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{"n":1}},"ref":"2"}',
    ]);
    client.sendHex("ff");
    assert.equal(client.connection.closeCode, 1011);
  });
});

describe("random input", () => {
  const topics = fc.constantFrom("room:1", "phoenix", "", "nowhere", 5, null, {}, [[1, "a"]], [{}]);
  const names = ["phx_join", "phx_leave", "heartbeat", "echo", "__proto__", "nope"];
  const events = fc.oneof(fc.constantFrom<unknown>(...names, null, 7), fc.jsonValue());
  const refs = fc.oneof(fc.constantFrom<unknown>(null, "1", 1, "11"), fc.jsonValue());
  const parts = fc.tuple(refs, refs, topics, events, fc.jsonValue());
  const texts = fc.oneof(
    parts.map((message) => JSON.stringify(message)),
    parts.map(([joinRef, ref, topic, event, payload]) =>
      JSON.stringify({ join_ref: joinRef, ref, topic, event, payload }),
    ),
    fc.json(),
    fc.string({ unit: "binary" }),
  );
  const short = fc.constantFrom("", "1", "room:1", "phx_join", "echo", "\ud83c\udf89");
  const binaries = fc.oneof(
    fc.uint8Array(),
    texts.map((text) => new Uint8Array(Buffer.from(text))),
    fc.tuple(fc.tuple(short, short, short, short), fc.uint8Array()).map(([fields, payload]) => {
      const bytes = fields.map((text) => Buffer.from(text));
      const head = Uint8Array.of(0, ...bytes.map(({ length }) => length));
      return new Uint8Array(Buffer.concat([head, ...bytes, payload]));
    }),
  );

  it("causes no exception, and affects at most its own connection", () => {
    const frames = fc.array(fc.oneof(texts, binaries), { maxLength: 6 });
    const versions = fc.constantFrom("1.0.0" as const, "2.0.0" as const);
    const world = makeWorld();
    const other = world.joined(["room:other"]);
    fc.assert(
      fc.property(versions, frames, (vsn, all) => {
        const client = world.connect({ vsn });
        for (const frame of all) {
          if (typeof frame === "string") client.send(frame);
          else client.sendHex(Buffer.from(frame).toString("hex"));
        }
        const { isOpen, closeCode } = client.connection;
        assert.equal(closeCode, isOpen ? undefined : 1011);
        client.connection.lose();
        assert.deepEqual(other.asked('["11","2","room:other","echo",1]'), [
          '["11","2","room:other","phx_reply",{"status":"ok","response":1}]',
        ]);
      }),
    );
    assert.equal(
      world.log.some(({ text }) => text.startsWith("a message failed")),
      false,
    );
    assert.equal(world.count, 1);
  });
});

describe("any other failure with a message", () => {
  it("closes its connection with 1011, and no other", () => {
    const world = makeWorld();
    const [broken, other] = [world.joined(), world.joined()];
    broken.connection.send = () => {
      throw new Error("no send today");
    };
    broken.send('[null,"1","phoenix","heartbeat",{}]');
    assert.equal(broken.connection.closeCode, 1011);
    assert.equal(world.lastError(), "no send today");
    assert.deepEqual(other.asked('[null,"1","phoenix","heartbeat",{}]'), [
      '[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]',
    ]);
  });
});

describe("a frame of version 1", () => {
  it("is answered as an object without a join_ref; the end has ref null", () => {
    const client = makeWorld().connect({ vsn: "1.0.0" });
    assert.deepEqual(
      client.asked(
        '{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}',
        '{"topic":"room:1","event":"echo","payload":{"n":1},"ref":"2"}',
        '{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"3"}',
        '{"topic":"room:1","event":"phx_leave","payload":{},"ref":"4"}',
        '{"topic":"room:1","event":"echo","payload":{},"ref":"5"}',
      ),
      [
        `{"topic":"room:1","event":"phx_reply","payload":${OK},"ref":"1"}`,
        '{"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{"n":1}},"ref":"2"}',
        `{"topic":"phoenix","event":"phx_reply","payload":${OK},"ref":"3"}`,
        `{"topic":"room:1","event":"phx_reply","payload":${OK},"ref":"4"}`,
        '{"topic":"room:1","event":"phx_close","payload":{},"ref":null}',
        `{"topic":"room:1","event":"phx_reply","payload":${UNMATCHED},"ref":"5"}`,
      ],
    );
  });

  it("identifies its channel by the ref of the join, or by the join_ref that was sent", () => {
    const client = makeWorld().connect({ vsn: "1.0.0" });
    const frames = client.asked(
      '{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}',
      '{"topic":"room:1","event":"name","payload":{},"ref":"2"}',
      '{"topic":"room:2","event":"phx_join","payload":{},"ref":"3","join_ref":{"a":1}}',
      '{"topic":"room:2","event":"name","payload":{},"ref":"4"}',
    );
    assert.equal(
      frames[1],
      '{"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{"joinRef":"1"}},"ref":"2"}',
    );
    assert.equal(
      frames[3],
      '{"topic":"room:2","event":"phx_reply","payload":{"status":"ok","response":{"joinRef":{"a":1}}},"ref":"4"}',
    );
  });

  it("may have a join_ref, which is the ref of the end", () => {
    const client = makeWorld().connect({ vsn: "1.0.0" });
    const frames = client.asked(
      '{"topic":"room:1","event":"phx_join","payload":{},"ref":"1","join_ref":"9"}',
      '{"topic":"room:1","event":"nope","payload":{},"ref":"2"}',
    );
    assert.equal(
      frames.at(-1),
      '{"topic":"room:1","event":"phx_error","payload":{"reason":"channel_crash"},"ref":"9"}',
    );
  });
});

describe("a duplicate join", () => {
  it("is answered, then the old channel closes, then the new one pushes; terminate does not run", () => {
    const ends: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          join: (socket) => {
            socket.send("hello");
            return ok();
          },
          handleInfo: (socket) => socket.push("hello"),
          terminate: (_, reason) => void ends.push(reason),
        }),
      },
    });
    const client = world.joined();
    assert.deepEqual(client.asked('["12","2","room:1","phx_join",{}]'), [
      `["12","2","room:1","phx_reply",${OK}]`,
      '["11","11","room:1","phx_close",{}]',
      '["12",null,"room:1","hello",{}]',
    ]);
    assert.deepEqual(ends, []);
    assert.equal(world.count, 1);
    world.member.broadcast("room:1", "e", {});
    assert.deepEqual(client.taken(), ['[null,null,"room:1","e",{}]']);
  });

  it("that is refused still closes the old channel", () => {
    let count = 0;
    const world = new World({
      channels: { "room:*": channel({ join: () => ((count += 1) === 1 ? ok() : error()) }) },
    });
    const client = world.joined();
    assert.deepEqual(client.asked('["12","2","room:1","phx_join",{}]'), [
      '["12","2","room:1","phx_reply",{"status":"error","response":{}}]',
      '["11","11","room:1","phx_close",{}]',
    ]);
    assert.equal(world.count, 0);
  });

  it("keeps the old channel's asynchronous handler from sending anything", async () => {
    const slow = new Deferred();
    const world = new World({
      channels: { "room:*": channel({ handleIn: { slow: () => slow.promise as never } }) },
    });
    const client = world.joined();
    client.send('["11","2","room:1","slow",{}]', '["12","3","room:1","phx_join",{}]');
    slow.resolve(ok("late"));
    await turn();
    assert.deepEqual(client.taken(), [
      `["12","3","room:1","phx_reply",${OK}]`,
      '["11","11","room:1","phx_close",{}]',
    ]);
  });

  it("while a join is awaited waits for it, and then replaces its channel", async () => {
    const { slow, joins } = makeSlow();
    const world = new World({ channels: { "slow:*": slow } });
    const client = world.connect();
    client.send('["11","1","slow:1","phx_join",{}]', '["12","2","slow:1","phx_join",{}]');
    assert.equal(joins.length, 1);
    joins[0]?.resolve(ok());
    await turn();
    assert.deepEqual(client.taken(), [`["11","1","slow:1","phx_reply",${OK}]`]);
    joins[1]?.resolve(ok());
    await turn();
    assert.deepEqual(client.taken(), [
      `["12","2","slow:1","phx_reply",${OK}]`,
      '["11","11","slow:1","phx_close",{}]',
    ]);
    assert.equal(world.count, 1);
  });

  it("right after a leave is an ordinary join", () => {
    const client = makeWorld().joined();
    assert.deepEqual(
      client.asked('["11","2","room:1","phx_leave",{}]', '["12","3","room:1","phx_join",{}]'),
      [
        `["11","2","room:1","phx_reply",${OK}]`,
        '["11","11","room:1","phx_close",{}]',
        `["12","3","room:1","phx_reply",${OK}]`,
      ],
    );
  });

  it("after a leave that waits behind an asynchronous handler replaces the channel", async () => {
    const slow = new Deferred();
    const world = new World({
      channels: { "room:*": channel({ handleIn: { slow: () => slow.promise as never } }) },
    });
    const client = world.joined();
    client.send('["11","2","room:1","slow",{}]', '["11","3","room:1","phx_leave",{}]');
    client.send('["12","4","room:1","phx_join",{}]');
    slow.resolve(ok());
    await turn();
    assert.deepEqual(client.taken(), [
      `["12","4","room:1","phx_reply",${OK}]`,
      '["11","11","room:1","phx_close",{}]',
    ]);
  });
});

describe("a slow join", () => {
  it("delays messages for its topic, in order, and nothing else", async () => {
    const { slow, joins } = makeSlow();
    const world = new World({ channels: { "slow:*": slow, "room:*": room } });
    const client = world.connect();
    client.send(
      '["11","1","slow:1","phx_join",{}]',
      '["11","2","slow:1","echo",2]',
      '["11","3","slow:1","echo",3]',
      '["12","4","room:1","phx_join",{}]',
      '[null,"5","phoenix","heartbeat",{}]',
    );
    assert.deepEqual(client.taken(), [
      `["12","4","room:1","phx_reply",${OK}]`,
      `[null,"5","phoenix","phx_reply",${OK}]`,
    ]);
    joins[0]?.resolve(ok());
    await turn();
    assert.deepEqual(client.taken(), [
      `["11","1","slow:1","phx_reply",${OK}]`,
      '["11","2","slow:1","phx_reply",{"status":"ok","response":2}]',
      '["11","3","slow:1","phx_reply",{"status":"ok","response":3}]',
    ]);
  });

  it("that is refused leaves the messages that waited unmatched", async () => {
    const { slow, joins } = makeSlow();
    const client = new World({ channels: { "slow:*": slow } }).connect();
    client.send(
      '["11","1","slow:1","phx_join",{}]',
      '["11","2","slow:1","echo",2]',
      '["11","3","slow:1","phx_leave",{}]',
    );
    joins[0]?.resolve(error());
    await turn();
    assert.deepEqual(client.taken(), [
      '["11","1","slow:1","phx_reply",{"status":"error","response":{}}]',
      `[null,"2","slow:1","phx_reply",${UNMATCHED}]`,
      `["11","3","slow:1","phx_reply",${OK}]`,
    ]);
  });

  it("followed by a leave and a join is answered in this order", async () => {
    const { slow, joins } = makeSlow();
    const world = new World({ channels: { "slow:*": slow } });
    const client = world.connect();
    client.send(
      '["11","1","slow:1","phx_join",{}]',
      '["11","2","slow:1","phx_leave",{}]',
      '["12","3","slow:1","phx_join",{}]',
      '["12","4","slow:1","echo",4]',
    );
    joins[0]?.resolve(ok());
    await turn();
    joins[1]?.resolve(ok());
    await turn();
    assert.deepEqual(client.taken(), [
      `["11","1","slow:1","phx_reply",${OK}]`,
      `["11","2","slow:1","phx_reply",${OK}]`,
      '["11","11","slow:1","phx_close",{}]',
      `["12","3","slow:1","phx_reply",${OK}]`,
      '["12","4","slow:1","phx_reply",{"status":"ok","response":4}]',
    ]);
  });

  it("counts towards maxChannels", () => {
    const { slow } = makeSlow();
    const client = new World({ channels: { "slow:*": slow }, maxChannels: 1 }).connect();
    client.send('["11","1","slow:1","phx_join",{}]');
    assert.match(client.asked('["12","2","slow:2","phx_join",{}]')[0] ?? "", /too many channels/);
  });

  it("with too many messages behind it closes the connection", async () => {
    const { slow, joins } = makeSlow();
    const world = new World({ channels: { "slow:*": slow }, maxBacklog: 2 });
    const client = world.connect();
    client.send('["11","1","slow:1","phx_join",{}]');
    client.send('["11","2","slow:1","echo",2]', '["11","3","slow:1","echo",3]');
    assert.equal(client.connection.closeCode, undefined);
    client.send('["11","4","slow:1","echo",4]');
    assert.equal(client.connection.closeCode, 1011);
    joins[0]?.resolve(ok());
    await turn();
    assert.equal(world.count, 0);
    assert.equal(world.member.pubsub.registry.size, 0);
  });
});

describe("a serial socket", () => {
  it("delays everything behind a slow join, including heartbeats", async () => {
    const { slow, joins } = makeSlow();
    const world = new World({ channels: { "slow:*": slow, "room:*": room }, joins: "serial" });
    const client = world.connect();
    client.send(
      '["11","1","slow:1","phx_join",{}]',
      '[null,"2","phoenix","heartbeat",{}]',
      '["12","3","slow:2","phx_join",{}]',
      '["13","4","room:1","phx_join",{}]',
    );
    await turn();
    assert.deepEqual(client.taken(), []);
    joins[0]?.resolve(ok());
    await turn();
    assert.deepEqual(client.taken(), [
      `["11","1","slow:1","phx_reply",${OK}]`,
      `[null,"2","phoenix","phx_reply",${OK}]`,
    ]);
    joins[1]?.resolve(error());
    await turn();
    assert.deepEqual(client.taken(), [
      '["12","3","slow:2","phx_reply",{"status":"error","response":{}}]',
      `["13","4","room:1","phx_reply",${OK}]`,
    ]);
  });

  it("answers the heartbeats of a burst before its channels answer", async () => {
    const client = makeWorld({ joins: "serial" }).joined();
    client.send(
      '["11","2","room:1","echo",2]',
      '[null,"3","phoenix","heartbeat",{}]',
      '["11","4","room:1","echo",4]',
    );
    assert.deepEqual(client.taken(), [`[null,"3","phoenix","phx_reply",${OK}]`]);
    await turn();
    assert.deepEqual(client.taken(), [
      '["11","2","room:1","phx_reply",{"status":"ok","response":2}]',
      '["11","4","room:1","phx_reply",{"status":"ok","response":4}]',
    ]);
    assert.equal(client.connection.corks, 1);
  });

  it("handles a leave before the join that follows it at once", async () => {
    const client = makeWorld({ joins: "serial" }).joined();
    client.send('["11","2","room:1","phx_leave",{}]', '["12","3","room:1","phx_join",{}]');
    await turn();
    assert.deepEqual(client.taken(), [
      `["11","2","room:1","phx_reply",${OK}]`,
      '["11","11","room:1","phx_close",{}]',
      `["12","3","room:1","phx_reply",${OK}]`,
    ]);
  });

  it("goes on after a join that throws, and after one that takes too long", async () => {
    const world = new World({
      channels: {
        "boom:*": channel({
          join: () => {
            throw new Error("boom");
          },
        }),
        "never:*": channel({ join: () => new Deferred().promise as never }),
      },
      joins: "serial",
    });
    const client = world.connect();
    client.send('["11","1","boom:1","phx_join",{}]', '["12","2","never:1","phx_join",{}]');
    client.send('[null,"3","phoenix","heartbeat",{}]');
    assert.equal(client.taken().length, 1);
    world.passTime(1_001);
    assert.deepEqual(client.taken(), [
      '["12","2","never:1","phx_reply",{"status":"error","response":{"reason":"join timeout"}}]',
      `[null,"3","phoenix","phx_reply",${OK}]`,
    ]);
  });

  it("sends an intercepted broadcast after the replies of the burst's handlers", async () => {
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            shout: (socket) => {
              socket.broadcast("e", {});
              return ok();
            },
          },
          intercept: { e: (socket) => socket.push("told") },
        }),
      },
      joins: "serial",
    });
    const client = world.joined();
    client.send('["11","2","room:1","shout",{}]');
    await turn();
    assert.deepEqual(client.taken(), [
      `["11","2","room:1","phx_reply",${OK}]`,
      '["11",null,"room:1","told",{}]',
    ]);
  });

  it("that ends during a burst ends its channels after the messages that they were sent", async () => {
    const seen: unknown[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: { note: (_, payload) => void seen.push(payload) },
          terminate: (_, reason) => void seen.push(reason),
        }),
      },
      joins: "serial",
    });
    const client = world.joined();
    client.send('["11","2","room:1","note",1]');
    client.connection.lose();
    await turn();
    assert.deepEqual(seen, [1, { shutdown: "closed" }]);
    assert.equal(world.count, 0);
  });
});

describe("a disconnect by id", () => {
  it("closes all connections of the id with 1001, without a frame on any channel", () => {
    const ends: unknown[] = [];
    const world = new World({
      channels: { "room:*": channel({ terminate: (_, reason) => void ends.push(reason) }) },
    });
    const [one, two] = [1, 2].map(() => world.joined(["room:1"], { id: "users:1" }));
    const other = world.joined(["room:1"], { id: "users:2" });
    const anonymous = world.joined(["room:1"]);
    world.member.broadcast("users:1", "other_event", {});
    world.member.broadcast("users:1", "disconnect", { any: "payload" });
    const codes = [one, two, other, anonymous].map((client) => client?.connection.closeCode);
    assert.deepEqual(codes, [1001, 1001, undefined, undefined]);
    assert.deepEqual([one?.taken(), two?.taken()], [[], []]);
    assert.deepEqual(ends, [{ shutdown: "disconnected" }, { shutdown: "disconnected" }]);
    assert.equal(world.member.pubsub.registry.get("users:1"), undefined);
  });

  it("reaches connections of other threads", () => {
    const node = new TestNode();
    const world = new World({ channels: { "room:*": room }, node });
    const other = new World({ channels: { "room:*": room }, node, member: 1 });
    const client = other.joined(["room:1"], { id: "users:1" });
    world.member.broadcast("users:1", "disconnect", {});
    other.member.drain();
    assert.equal(client.connection.closeCode, 1001);
  });

  it("that may have been lost closes the connection too", () => {
    const world = makeWorld();
    const [banned, other] = [
      world.joined(["room:1"], { id: "users:1" }),
      world.joined(["room:1"], { id: "users:2" }),
    ];
    const { index, pubsub } = world.member;
    pubsub.onLapped(1, Int32Array.of(index.slotOf(pubsub.registry.hashOf("users:1"))));
    assert.equal(banned.connection.closeCode, 1001);
    assert.equal(other.connection.closeCode, undefined);
  });

  it("is published to telemetry once, with the connection, its id and its channels", () => {
    const events: unknown[] = [];
    const take = (event: unknown): void => void events.push(event);
    subscribe("simurgh:socket_disconnected", take);
    const world = makeWorld();
    world.joined(["room:1", "room:2"], { id: "users:1" });
    world.member.broadcast("users:1", "disconnect", {});
    world.joined(["room:1"]).connection.lose(1006);
    unsubscribe("simurgh:socket_disconnected", take);
    assert.deepEqual(events, [
      { connection: 0, id: "users:1", code: 1001, channels: 2 },
      { connection: 1, id: null, code: 1006, channels: 1 },
    ]);
  });
});
