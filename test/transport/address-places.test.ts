/**
 * The limit of connections per client address, over real sockets.
 *
 * Runs on: the test's thread, which is also the shard's.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, beforeEach, describe, it } from "node:test";

import { error, ok } from "../../src/callbacks/results.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import { within } from "../support/deadline.ts";
import { startShard, type TestShard } from "../support/shard.ts";
import { Deferred } from "../support/world.ts";

const LIMIT = 3;

const clients = new Set<Socket>();
let shard: TestShard | undefined;
/** Decides on the connects with the parameter `later`. */
let decided: Deferred<void>;

/** Sends a request from an address. @returns the client, and the status of the answer */
async function asked(
  path: string,
  address = "127.0.0.1",
): Promise<{ readonly client: Socket; readonly status: number; readonly text: string }> {
  assert.ok(shard);
  const client = connect({ port: shard.port, host: "127.0.0.1", localAddress: address });
  clients.add(client);
  client.once("close", () => clients.delete(client));
  client.write(requestOf(path));
  let text = "";
  const answered = new Promise<void>((resolve, reject) => {
    client.on("error", reject);
    client.on("data", (data) => {
      text += data.toString("latin1");
      if (text.includes("\r\n\r\n")) resolve();
    });
  });
  await within(answered, `an answer to ${path}`);
  return { client, status: Number(text.split(" ")[1]), text };
}

function requestOf(path: string): string {
  const upgrade = path.includes("/websocket") ? UPGRADE : [];
  return [`GET ${path} HTTP/1.1`, "host: localhost", ...upgrade, "\r\n"].join("\r\n");
}

const UPGRADE = [
  "connection: Upgrade",
  "upgrade: websocket",
  "sec-websocket-version: 13",
  "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
];
const WEBSOCKET = "/socket/websocket?vsn=2.0.0";
const LONGPOLL = "/socket/longpoll?vsn=2.0.0";

async function closed(client: Socket): Promise<void> {
  client.destroy();
  // An engine may close a connection on which it has refused a WebSocket.
  if (!client.closed) await within(once(client, "close"), "the end of a client");
}

/** Waits until a counter of the shard has a value. */
async function counted(name: "connections" | "tcpConnections", count: number): Promise<void> {
  const reached = async (): Promise<void> => {
    while (shard?.counter(name) !== count) {
      await new Promise((resolve) => void setImmediate(resolve));
    }
  };
  await within(reached(), `${count} ${name}`);
}

async function serving(longpollWindowMs = 60_000): Promise<void> {
  for (const client of clients) client.destroy();
  shard?.close();
  decided = new Deferred();
  const socket = defineSocket({
    connect({ params }) {
      if ("bad" in params) return error({ reason: "bad" });
      if ("throw" in params) throw new Error("boom");
      return "later" in params ? decided.promise.then(() => ok()) : ok();
    },
  });
  shard = await startShard(
    { sockets: { "/socket": { socket, channels: {}, longpoll: true } } },
    { maxConnectionsPerAddress: LIMIT, longpollWindowMs },
  );
}

describe("the connections of an address", () => {
  beforeEach(async () => serving());
  after(() => {
    for (const client of clients) client.destroy();
    shard?.close();
  });

  it("are limited, WebSockets and sessions together; another address has its own", async () => {
    const first = await asked(WEBSOCKET);
    const second = await asked(LONGPOLL);
    const third = await asked(WEBSOCKET);
    assert.deepEqual([first.status, second.status, third.status], [101, 200, 101]);
    const { status, text } = await asked(WEBSOCKET);
    assert.equal(status, 429);
    assert.match(text, /retry-after: 5/i);
    assert.equal((await asked(LONGPOLL)).status, 429);
    assert.equal(shard?.counter("addressesFull"), 2);
    assert.equal((await asked(WEBSOCKET, "127.0.0.2")).status, 101);
    await closed(first.client);
    await counted("connections", 3);
    assert.equal((await asked(LONGPOLL)).status, 200);
    assert.equal((await asked(LONGPOLL)).status, 429);
  });

  it("include requests that connect has not decided, unless the client goes away", async () => {
    const waiting = Array.from({ length: LIMIT }, async () => asked(`${WEBSOCKET}&later=1`));
    const refused = async (): Promise<void> => {
      while ((await asked(`${WEBSOCKET}&bad=1`)).status !== 429);
    };
    await within(refused(), "a refusal by the limit");
    decided.resolve();
    for (const answer of await Promise.all(waiting)) assert.equal(answer.status, 101);
    assert.equal((await asked(WEBSOCKET)).status, 429);
  });

  it("are free again after thousands were opened, refused, given up and closed", async () => {
    for (let round = 0; round < 500; round += 1) {
      const answers = await Promise.all([
        asked(WEBSOCKET),
        asked(`${WEBSOCKET}&bad=1`),
        asked(`${WEBSOCKET}&throw=1`),
        asked(`${LONGPOLL}&bad=1`, "127.0.0.2"),
        asked(`${WEBSOCKET}&vsn=9.9.9`, "127.0.0.2"),
      ]);
      assert.ok(answers.every(({ status }) => status !== 429));
      const { port } = shard ?? assert.fail();
      const givenUp = connect(port, "127.0.0.1");
      givenUp.write(requestOf(`${WEBSOCKET}&later=1`));
      await within(once(givenUp, "connect"), "a connect");
      await Promise.all([givenUp, ...answers.map((answer) => answer.client)].map(closed));
      await counted("connections", 0);
      await counted("tcpConnections", 0);
    }
    for (let count = 0; count < LIMIT; count += 1) {
      assert.equal((await asked(WEBSOCKET)).status, 101);
      assert.equal((await asked(WEBSOCKET, "127.0.0.2")).status, 101);
    }
  });

  it("are free again after sessions ended, because nobody polled", async () => {
    await serving(100);
    for (let count = 0; count < LIMIT; count += 1)
      assert.equal((await asked(LONGPOLL)).status, 200);
    assert.equal((await asked(WEBSOCKET)).status, 429);
    await counted("connections", 0);
    for (let count = 0; count < LIMIT; count += 1)
      assert.equal((await asked(WEBSOCKET)).status, 101);
  });
});
