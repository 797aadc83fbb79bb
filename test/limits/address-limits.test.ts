/** Limits per address on a shard: how addresses count, and clients without one. */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";

import { defineSocket, ok, type ConnectRequest } from "../../src/index.ts";
import { within } from "../support/deadline.ts";
import { startShard, type TestShard } from "../support/shard.ts";

const LIMIT = 2;

const shards: TestShard[] = [];
after(() => {
  for (const shard of shards) shard.close();
});

/** Starts a shard with two mounts, which each let an address connect twice. */
async function serving(address?: (request: ConnectRequest) => string | null): Promise<TestShard> {
  const connects = { limit: LIMIT, perMs: 60_000 };
  const socket = defineSocket({
    connect: () => ok({}),
    limits: { perAddress: { connects }, ...(address && { address }) },
  });
  const mount = { socket, channels: {}, longpoll: true, connectInfo: ["xHeaders"] } as const;
  const shard = await startShard({ sockets: { "/one": mount, "/two": mount } });
  shards.push(shard);
  return shard;
}

async function statusOf(
  { port }: TestShard,
  address: string,
  mount: string = "/one",
): Promise<number> {
  const url = `http://127.0.0.1:${port}${mount}/longpoll?vsn=2.0.0`;
  const headers = { "x-forwarded-for": address };
  return (await within(fetch(url, { headers }), "an answer")).status;
}

const fromHeader = ({ connectInfo }: ConnectRequest): string | null =>
  connectInfo.xHeaders?.findLast(([name]) => name === "x-forwarded-for")?.[1] ?? null;

describe("a limit per address", () => {
  it("counts an address once, whatever its port", async () => {
    const shard = await serving(fromHeader);
    for (const address of ["203.0.113.8", "[2001:db8::1]"]) {
      const statuses: number[] = [];
      for (const port of [40_000, 40_001, 40_002]) {
        statuses.push(await statusOf(shard, `${address}:${port}`));
      }
      statuses.push(await statusOf(shard, address));
      assert.deepEqual(statuses, [200, 200, 429, 429], address);
    }
    assert.equal(await statusOf(shard, "2001:db8::2"), 429);
    assert.equal(await statusOf(shard, "203.0.113.9"), 200);
  });

  it("does not apply to a client whose address is not known, which is logged once", async () => {
    const shard = await serving(() => null);
    for (let times = 0; times < 2 * LIMIT; times += 1) {
      assert.equal(await statusOf(shard, "203.0.113.8"), 200);
      assert.equal(await statusOf(shard, "203.0.113.8", "/two"), 200);
    }
    const lines = shard.log.filter(({ text }) => text.includes("limits per address"));
    assert.deepEqual(
      lines.map(({ fields }) => fields),
      [{ path: "/one" }],
    );
    assert.equal(shard.counter("addressesMissing"), 4 * LIMIT);
  });

  it("applies to the peer's address by default, without a warning", async () => {
    const shard = await serving();
    const statuses: number[] = [];
    for (const address of ["203.0.113.8", "203.0.113.9", "203.0.113.10"]) {
      statuses.push(await statusOf(shard, address));
    }
    assert.deepEqual(statuses, [200, 200, 429]);
    assert.equal(shard.counter("addressesMissing"), 0);
  });
});
