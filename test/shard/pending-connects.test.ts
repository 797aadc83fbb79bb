/**
 * An asynchronous `connect` that does not settle, over WebSocket and long-poll.
 *
 * Runs on: the test's thread, which is also the shard's.
 */
import assert from "node:assert/strict";
import { get, type IncomingMessage } from "node:http";
import { afterEach, describe, it } from "node:test";

import { ok } from "../../src/callbacks/results.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import { within } from "../support/deadline.ts";
import { startShard, type TestShard } from "../support/shard.ts";
import { Deferred } from "../support/world.ts";

const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};
const LONGPOLL = "/socket/longpoll?vsn=2.0.0";

let shard: TestShard;
/** The calls of `connect`, in order. */
let connects: Deferred[];
/** Resolves the next call of `connectCalled`. */
let called: Deferred<void>;

async function start(): Promise<void> {
  connects = [];
  called = new Deferred();
  const socket = defineSocket<object>({
    connect() {
      const connect = new Deferred();
      connects.push(connect);
      called.resolve();
      return connect.promise as never;
    },
  });
  const mount = { socket, channels: {}, longpoll: true };
  shard = await startShard({ sockets: { "/socket": mount } }, { maxPendingConnects: 2 });
}

afterEach(() => shard.close());

async function connectCalled(): Promise<void> {
  await within(called.promise, "a call of connect");
  called = new Deferred();
}

/** Sends a request; resolves with its status, and how long to wait before the next. */
function asked(path: string, headers: Record<string, string> = {}): Promise<[number, unknown]> {
  const answered = new Promise<[number, unknown]>((resolve, reject) => {
    const answer = ({ statusCode = 0, headers: lines }: IncomingMessage): void =>
      resolve([statusCode, lines["retry-after"]]);
    const sent = get({ port: shard.port, path, headers, agent: false }, (response) => {
      response.resume();
      answer(response);
    });
    sent.on("upgrade", (response, tcp) => {
      tcp.destroy();
      answer(response);
    });
    sent.on("error", reject);
  });
  return within(answered, `an answer to ${path}`);
}

describe("requests to connect that wait for connect", () => {
  it("are at most maxPendingConnects, on all transports together; further ones get 503", async () => {
    await start();
    const websocket = "/socket/websocket?vsn=2.0.0";
    const waiting = [asked(websocket, UPGRADE)];
    await connectCalled();
    waiting.push(asked(LONGPOLL));
    await connectCalled();
    assert.deepEqual(await asked(websocket, UPGRADE), [503, "5"]);
    assert.deepEqual(await asked(LONGPOLL), [503, "5"]);
    assert.equal(connects.length, 2);
    connects[0]?.resolve(ok({}));
    assert.deepEqual(await waiting[0], [101, undefined]);
    const next = asked(LONGPOLL);
    await connectCalled();
    for (const connect of connects) connect.resolve(ok({}));
    assert.deepEqual(
      [await waiting[1], await next],
      [
        [200, undefined],
        [200, undefined],
      ],
    );
  });

  it("count until connect has settled, even if it throws", async () => {
    await start();
    const waiting = [asked(LONGPOLL)];
    await connectCalled();
    waiting.push(asked(LONGPOLL));
    await connectCalled();
    for (const connect of connects) connect.reject(new Error("boom"));
    for (const answer of waiting) assert.deepEqual(await answer, [500, undefined]);
    const next = asked(LONGPOLL);
    await connectCalled();
    connects[2]?.resolve(ok({}));
    assert.deepEqual(await next, [200, undefined]);
  });
});
