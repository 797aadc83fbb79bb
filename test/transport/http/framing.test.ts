/**
 * Requests that do not say where their body ends, on real connections: whatever follows them is no request.
 */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";

import { defineSocket, ok } from "../../../src/index.ts";
import { BodyFraming } from "../../../src/transport/http/framing.ts";
import { listenerParts, testEngine } from "../../support/engine.ts";
import { noTurns } from "../../support/dealing.ts";
import { exchanged, requestOf, statusesOf } from "../../support/raw-http.ts";
import { startShard, type TestShard } from "../../support/shard.ts";

/** Header lines that do not say where the body ends, each with a body. */
const BAD: Readonly<Record<string, readonly [headers: readonly string[], body: string]>> = {
  "two equal lengths": [["Content-Length: 3", "Content-Length: 3"], "abc"],
  "two lengths": [["Content-Length: 3", "Content-Length: 44"], "abc"],
  "an empty length": [["Content-Length:"], ""],
  "a blank length": [["Content-Length:   "], ""],
  "a list of lengths": [["Content-Length: 3, 3"], "abc"],
  "a signed length": [["Content-Length: +3"], "abc"],
  "a length in hex": [["Content-Length: 0x3"], "abc"],
  "a huge length": [["Content-Length: 9999999999999999999"], ""],
  gzip: [["Transfer-Encoding: gzip"], "3\r\nabc\r\n0\r\n\r\n"],
  "gzip, chunked": [["Transfer-Encoding: gzip, chunked"], "3\r\nabc\r\n0\r\n\r\n"],
  xchunked: [["Transfer-Encoding: xchunked"], "0\r\n\r\n"],
  identity: [["Transfer-Encoding: identity"], "0\r\n\r\n"],
  "an empty coding": [["Transfer-Encoding:"], "0\r\n\r\n"],
  "two codings": [["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
  "a coding and a length": [["Transfer-Encoding: chunked", "Content-Length: 3"], "0\r\n\r\n"],
};
const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
];
const TARGETS: Readonly<Record<string, readonly [line: string, headers: readonly string[]]>> = {
  "a route": ["POST /sync", []],
  "an asynchronous route": ["POST /later", []],
  "another spelling of a route": ["POST //sync/", []],
  "a WebSocket": ["GET /s/websocket?vsn=2.0.0", UPGRADE],
  "a WebSocket without a key": ["GET /s/websocket?vsn=2.0.0", []],
  "long-poll": ["GET /s/longpoll?vsn=2.0.0", []],
  "a preflight of long-poll": ["OPTIONS /s/longpoll?vsn=2.0.0", []],
  "an unknown path": ["POST /unknown", []],
};

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

async function serving(): Promise<{ readonly shard: TestShard; readonly calls: string[] }> {
  const calls: string[] = [];
  const socket = defineSocket({
    connect: ({ transport }) => {
      calls.push(transport);
      return ok({});
    },
  });
  const called = (path: string): { status: number } => {
    calls.push(path);
    return { status: 200 };
  };
  const shard = await startShard({
    sockets: { "/s": { socket, channels: {}, longpoll: true } },
    routes: {
      "POST /sync": ({ path }) => called(path),
      "POST /later": async ({ path }) => Promise.resolve(called(path)),
      "GET /next": ({ path }) => called(path),
    },
  });
  closers.push(() => shard.close());
  return { shard, calls };
}

function framed(...headers: readonly (readonly [string, string])[]): boolean {
  const framing = new BodyFraming();
  for (const [name, value] of headers) framing.read(name, value);
  return framing.isValid;
}

describe("the framing of a body", () => {
  it("is valid with one length, or chunked, or nothing", () => {
    assert.ok(framed());
    assert.ok(framed(["host", "a"], ["x-content-length", ""], ["te", "gzip"]));
    assert.ok(framed(["content-length", "0"]));
    assert.ok(framed(["content-length", "000003"]));
    assert.ok(framed(["transfer-encoding", "chunked"]));
    assert.ok(framed(["transfer-encoding", "Chunked"]));
    assert.equal(framed(["content-length", "3"], ["content-length", "3"]), false);
    assert.equal(framed(["transfer-encoding", "xchunked"]), false);
  });
});

describe("a request that does not say where its body ends", () => {
  for (const [target, [line, headers]] of Object.entries(TARGETS)) {
    it(`gets 400 and a close, for ${target}, and no handler sees it`, async () => {
      const { shard, calls } = await serving();
      for (const [what, [bad, body]] of Object.entries(BAD)) {
        const got = await exchanged(shard.port, requestOf(line, [...headers, ...bad], body));
        assert.deepEqual(statusesOf(got), [400], what);
        assert.deepEqual(calls, [], what);
        assert.equal(shard.counter("idleConnections"), 0, what);
      }
    });

    it(`ends the connection, for ${target}, before a request behind it`, async () => {
      const { shard, calls } = await serving();
      for (const [what, [bad, body]] of Object.entries(BAD)) {
        const first = requestOf(line, [...headers, ...bad], body);
        const got = await exchanged(shard.port, first + requestOf("GET /next"));
        assert.ok(["", "400"].includes(statusesOf(got).join()), `${what}: ${got}`);
        assert.deepEqual(calls, [], what);
      }
    });
  }

  it("is refused by main too, if there is no shard", async () => {
    const { engine } = await testEngine();
    const listener = engine.createListener(listenerParts());
    closers.push(() => void listener.close());
    const port = await listener.listen("127.0.0.1", 0);
    for (const [what, [bad, body]] of Object.entries(BAD)) {
      const first = requestOf("POST /any", bad, body);
      assert.deepEqual(statusesOf(await exchanged(port, first)), [400], what);
      const got = await exchanged(port, first + requestOf("GET /next"));
      assert.ok(["", "400"].includes(statusesOf(got).join()), `${what}: ${got}`);
    }
  });
});

describe("a request that says where its body ends", () => {
  it("is followed by the next one", async () => {
    const { shard, calls } = await serving();
    const last = requestOf("GET /next", ["Connection: close"]);
    // The portable engine reads bodies after the handler has returned, so the length of a chunked one is not known when
    // this answer is given, which is therefore the last.
    const ofChunks = noTurns === false ? [200, 200] : [200];
    for (const [headers, body, statuses] of [
      [["Content-Length: 3"], "abc", [200, 200]],
      [["Transfer-Encoding: Chunked"], "3\r\nabc\r\n0\r\n\r\n", ofChunks],
      [[], "", [200, 200]],
    ] as const) {
      const got = await exchanged(shard.port, requestOf("POST /sync", headers, body) + last);
      assert.deepEqual(statusesOf(got), statuses);
      assert.deepEqual(calls.splice(0), ["/sync", "/next"].slice(0, statuses.length));
    }
  });
});
