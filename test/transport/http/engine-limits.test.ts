/**
 * HTTP behaviour of the engine that cannot be configured. The table of deviations in `src/protocol/README.md`
 * has a row for each. If a test fails because the engine has changed, update the row.
 */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";

import { defineChannel, defineSocket, ok, reply } from "../../../src/index.ts";
import { noTurns } from "../../support/dealing.ts";
import { within } from "../../support/deadline.ts";
import { ask, NDJSON } from "../../support/longpoll-client.ts";
import { exchanged, requestOf, statusesOf, type Manners } from "../../support/raw-http.ts";
import { startShard, type TestShard } from "../../support/shard.ts";
import { Deferred } from "../../support/world.ts";

const isNative = noTurns === false;
/** What the portable engine does instead is tested with it. */
const WAITS = !isNative && "what follows waits";

const LAST = ["Connection: close"];
const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
];
/** A masked heartbeat without a ref, and a masked close frame (1000). */
const HEARTBEAT = maskedText('[null,null,"phoenix","heartbeat",{}]');
const CLOSE = "\x88\x82\0\0\0\0\x03\xe8";

interface World extends TestShard {
  /** Settles the request of `GET /slow`, and the `connect` of sockets. */
  readonly answer: Deferred<undefined>;
  /** Resolves when `GET /slow` or `connect` has been called. */
  readonly begun: Deferred<undefined>;
  readonly seen: string[];
}

const shards: TestShard[] = [];
after(() => {
  for (const shard of shards) shard.close();
});

async function serving(): Promise<World> {
  const answer = new Deferred<undefined>();
  const begun = new Deferred<undefined>();
  const seen: string[] = [];
  const socket = defineSocket({
    connect: async ({ params }) => {
      begun.resolve(undefined);
      if (params["slow"] !== undefined) await answer.promise;
      return ok({});
    },
    joins: "serial",
  });
  const room = defineChannel(socket, {
    join: async ({ topic }) => {
      if (topic === "room:slow") await answer.promise;
      return ok();
    },
    handleIn: { echo: (_, payload) => reply("ok", payload) },
  });
  const shard = await startShard({
    sockets: { "/socket": { socket, channels: { "room:*": room }, longpoll: true } },
    routes: {
      "GET /x": (request) => {
        seen.push(request.header("x-name") ?? "none");
        return { status: 200 };
      },
      "POST /body": async (request) => ({ status: 200, body: (await request.body()).toString() }),
      "GET /slow": async () => {
        begun.resolve(undefined);
        await answer.promise;
        return { status: 200 };
      },
    },
  });
  shards.push(shard);
  return { ...shard, answer, begun, seen };
}

function maskedText(text: string): string {
  return `\x81${String.fromCharCode(0x80 | text.length)}\0\0\0\0${text}`;
}

function chunked(body: string): string {
  return requestOf("POST /body", ["Transfer-Encoding: chunked", ...LAST], body);
}

/** Returns the statuses of what a server answers to text before it closes the connection. */
async function statuses(
  { port }: TestShard,
  text: string,
  manners: Manners = {},
): Promise<number[]> {
  return statusesOf(await exchanged(port, text, manners));
}

describe("the engine", () => {
  it("answers anything but HTTP/1.1 and a path with 505, and closes the connection", async () => {
    const shard = await serving();
    for (const line of [
      "GET /x HTTP/1.0",
      "GET /socket/longpoll?vsn=2.0.0 HTTP/1.0",
      "GET http://localhost/x HTTP/1.1",
      "OPTIONS * HTTP/1.1",
      "CONNECT localhost:80 HTTP/1.1",
    ]) {
      assert.deepEqual(await statuses(shard, `${line}\r\nHost: localhost\r\n\r\n`), [505], line);
    }
    const ofBareLf = isNative ? 505 : 400;
    assert.deepEqual(await statuses(shard, "GET /x HTTP/1.1\nHost: localhost\n\n"), [ofBareLf]);
    assert.deepEqual(shard.seen, []);
  });

  it("does not read a chunked body with a trailer or an extension, unless it is the portable one", async () => {
    const shard = await serving();
    assert.deepEqual(await statuses(shard, chunked("3\r\nabc\r\n0\r\n\r\n")), [200]);
    const trailed = await statuses(shard, chunked("3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"));
    assert.deepEqual(trailed, [isNative ? 505 : 200]);
    const extended = await statuses(shard, chunked("3;x=1\r\nabc\r\n0\r\n\r\n"));
    assert.deepEqual(extended, [isNative ? 400 : 200]);
  });

  it("drops bytes of 0x80 and above at the ends of a header's value", async () => {
    const shard = await serving();
    for (const [given, kept] of [
      ["caf\xe9", isNative ? "caf" : "caf\ufffd"],
      ["\xe9t\xe9", isNative ? "t" : "\ufffdt\ufffd"],
      ["a\xc3\xa9b", "aéb"],
    ] as const) {
      await exchanged(shard.port, requestOf("GET /x", [`X-Name: ${given}`, ...LAST]));
      assert.equal(shard.seen.pop(), kept);
    }
  });

  it(
    "closes a connection on which a request follows one that waits for its answer",
    { skip: WAITS },
    async () => {
      const shard = await serving();
      assert.deepEqual(await statuses(shard, requestOf("GET /slow") + requestOf("GET /x")), []);
      assert.deepEqual(shard.seen, []);
      const poll = requestOf("GET /socket/longpoll?vsn=2.0.0&slow");
      assert.deepEqual(await statuses(shard, poll + requestOf("GET /x")), []);
    },
  );

  it(
    "closes a connection on which a POST of long-poll follows one that is being handled",
    { skip: WAITS },
    async () => {
      const shard = await serving();
      const { token } = await ask(shard.port, "GET", "/socket/longpoll?vsn=2.0.0").answer;
      const path = `/socket/longpoll?vsn=2.0.0&token=${token ?? ""}`;
      const post = (topic: string, event: string): string => {
        const body = `["1","1","${topic}","${event}",{}]`;
        const headers = ["Content-Type: application/x-ndjson", `Content-Length: ${body.length}`];
        return requestOf(`POST ${path}`, headers, body);
      };
      await ask(shard.port, "POST", path, '["1","1","room:1","phx_join",{}]', NDJSON).answer;
      // Two that are handled at once are both answered.
      const last = requestOf("GET /x", LAST);
      const both = post("room:1", "echo") + post("room:1", "echo") + last;
      assert.deepEqual(await statuses(shard, both), [200, 200, 200]);
      const slow = post("room:slow", "phx_join") + post("room:1", "echo") + last;
      assert.deepEqual(await statuses(shard, slow), []);
    },
  );

  it("closes a connection whose client ends its side before the answer", async () => {
    const shard = await serving();
    assert.deepEqual(await statuses(shard, requestOf("GET /slow"), { isHalfClosed: true }), []);
  });

  it(
    "closes a connection whose client sends frames while connect runs",
    { skip: WAITS },
    async () => {
      const shard = await serving();
      const upgrade = requestOf("GET /socket/websocket?vsn=2.0.0&slow", UPGRADE);
      const got = await statuses(shard, upgrade + HEARTBEAT);
      assert.ok(got.length === 1 && (got[0] ?? 0) >= 400, got.join());
    },
  );
});

describe("as in Phoenix", () => {
  it("bytes that arrive together with a request for a WebSocket are dropped", async () => {
    // Bandit does not pass what it has read behind the request on to the WebSocket.
    const socket = defineSocket({ connect: () => ok({}) });
    const shard = await startShard({ sockets: { "/socket": { socket, channels: {} } } });
    shards.push(shard);
    const upgrade = requestOf("GET /socket/websocket?vsn=2.0.0", UPGRADE);
    const got = await exchanged(shard.port, upgrade + HEARTBEAT, { afterAnswer: CLOSE });
    assert.deepEqual(statusesOf(got), [101]);
    assert.doesNotMatch(got, /phx_reply/);
    assert.equal(shard.counter("framesIn"), 0);
  });

  it("a join that a proxy sends twice is a duplicate, whose phx_close has the join_ref of both", async () => {
    const shard = await serving();
    const { token } = await ask(shard.port, "GET", "/socket/longpoll?vsn=2.0.0").answer;
    const path = `/socket/longpoll?vsn=2.0.0&token=${token ?? ""}`;
    const join = '["1","1","room:1","phx_join",{}]';
    for (const body of [join, join]) {
      const { status } = await ask(shard.port, "POST", path, body, NDJSON).answer;
      assert.equal(status, 200);
    }
    const frames: string[] = [];
    while (frames.length < 3) {
      frames.push(...(await within(ask(shard.port, "GET", path).answer, "frames")).frames);
    }
    assert.deepEqual(frames, [
      '["1","1","room:1","phx_reply",{"status":"ok","response":{}}]',
      '["1","1","room:1","phx_reply",{"status":"ok","response":{}}]',
      '["1","1","room:1","phx_close",{}]',
    ]);
  });
});
