/**
 * A disconnect by id that is lost because a thread is stalled still ends the connections that it is for,
 * on the same node and on another, and no others.
 *
 * Runs on: the main thread of the tests, which is also the main thread of the servers.
 */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { isLoopHeld, makeRelease, releaseLoop } from "../apps/hold.ts";
import { stallingAdapter, STALLING_TOPIC } from "../apps/stalling-adapter.ts";
import { Client, joined } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";

const SMALLEST = { ringBytes: 4_096, overflowBytes: 65_536, overflowTotalBytes: 65_536 };
const FLOOD = "room:flood";
const CLOSE_MS = 20_000;
/** The test releases a blocked thread; if that fails, it continues after this time. */
const HELD_MS = 60_000;

/**
 * Waits until a thread is blocked, and broadcasts until records to it are lost, so that the next one is lost too.
 *
 * Not earlier: a thread that is only slow may lose records too. Its clients then leave the topic, and it would not
 * be a recipient any more.
 */
async function lap(server: Server, release: SharedArrayBuffer): Promise<void> {
  while (!isLoopHeld(release)) await setImmediate();
  let isStalled = false;
  const onStall = (stall: unknown): void => {
    ({ isStalled } = stall as { readonly isStalled: boolean });
  };
  subscribe("simurgh:stalled", onStall);
  while (!isStalled) {
    server.broadcast(FLOOD, "n");
    await setImmediate();
  }
  unsubscribe("simurgh:stalled", onStall);
  while (server.stats().main.lapped === 0) {
    // Many at a time, because reading the stats takes longer than a broadcast.
    for (let n = 0; n < 500; n += 1) server.broadcast(FLOOD, "n");
  }
}

/** Disconnects an id, and checks that the record itself was lost. */
function disconnectLost(server: Server, id: string): void {
  const before = server.stats().main.lapped;
  server.disconnect(id);
  assert.ok(server.stats().main.lapped > before, "the disconnect was not lost");
}

const clients: Client[] = [];

async function connect(server: Server, userId: string): Promise<Client> {
  const client = await Client.connect(server.port, { params: { user_id: userId } });
  clients.push(client);
  return client;
}

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.cut()));
});

/** Reads the rest of the flood, and then the end of its channel. */
async function missed(client: Client): Promise<void> {
  for (;;) {
    const { topic, event, payload } = await client.next();
    assert.equal(topic, FLOOD);
    if (event === "n") continue;
    assert.deepEqual([event, payload], ["phx_error", { reason: "missed broadcasts" }]);
    return;
  }
}

it("ends the connection on a shard that was stalled", async () => {
  const release = makeRelease();
  const server = await startServer("stall", { shards: 1, ...SMALLEST, data: release });
  try {
    const banned = await connect(server, "1");
    const other = await connect(server, "2");
    await joined(banned, "room:1");
    await joined(other, "room:1");
    await joined(other, FLOOD);
    const spun = await other.replyTo(other.push("room:1", "spin", { ms: HELD_MS }));
    assert.equal(spun.status, "ok");
    await within(lap(server, release), "a loss");
    disconnectLost(server, "users:1");
    releaseLoop(release);
    assert.equal((await banned.closed(CLOSE_MS)).code, 1001);
    await missed(other);
    const echoed = await other.replyTo(other.push("room:1", "echo"));
    assert.equal(echoed.status, "ok");
  } finally {
    await server.close();
  }
});

it("ends the connection on another node whose link was stalled", async () => {
  const hub = "ban-test";
  const release = makeRelease();
  const here = await startServer("stall", {
    shards: 1,
    ...SMALLEST,
    adapter: stallingAdapter({ hub, nodeName: "here", release }),
  });
  const there = await startServer("stall", {
    shards: 2,
    adapter: stallingAdapter({ hub, nodeName: "there" }),
  });
  try {
    const banned = await connect(there, "1");
    const other = await connect(there, "2");
    await joined(banned, "room:1");
    for (const topic of [STALLING_TOPIC, "room:1", FLOOD]) await joined(other, topic);
    here.broadcast(STALLING_TOPIC, "n");
    // It arrives before the link stalls.
    assert.equal((await other.next("n")).topic, STALLING_TOPIC);
    await within(lap(here, release), "a loss");
    disconnectLost(here, "users:1");
    releaseLoop(release);
    assert.equal((await banned.closed(CLOSE_MS)).code, 1001);
    await missed(other);
    const echoed = await other.replyTo(other.push("room:1", "echo"));
    assert.equal(echoed.status, "ok");
  } finally {
    await Promise.all([here.close(), there.close()]);
  }
});
