/**
 * Replays whose clients do not read, and whose handlers end something in the middle.
 *
 * Runs on: the test's thread, with a keeper on rings of its own.
 */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";

import { telemetry } from "../../src/telemetry.ts";
import type { TestMember } from "../support/members.ts";
import { BASE, KeptNode } from "../support/kept-node.ts";
import { channel, World, type WorldClient } from "../support/world.ts";

const TOPIC = "room:1";
const HISTORY = { size: 100, ttlMs: 1_000_000, maxBytes: 1_000_000 };
const ALL = { history: { last: 100 } };

const PASS = (): undefined => undefined;

interface Joined {
  readonly recovered: boolean;
  readonly count: number;
}

describe("A replay", () => {
  let node: KeptNode;
  let world: World;
  /** What the handler of an intercepted message does. */
  let handle: (client: WorldClient, n: number) => unknown = PASS;
  let client: WorldClient;
  let host: TestMember;
  let refs = 0;

  beforeEach(() => {
    node = new KeptNode({ pattern: "*", ringBytes: 65_536, overflowBytes: 4_000_000 });
    const shared = { history: HISTORY };
    world = new World({
      channels: {
        "room:*": channel(shared),
        "seen:*": channel({
          ...shared,
          intercept: {
            said: async (socket, payload) => {
              const { n } = payload as { n: number };
              const returned = handle(client, n);
              if (returned !== undefined) return returned as never;
              socket.push("said", payload);
              return undefined;
            },
          },
        }),
        "seen-at-once:*": channel({
          ...shared,
          intercept: {
            said: (socket, payload) => {
              const { n } = payload as { n: number };
              const returned = handle(client, n);
              if (returned !== undefined) return returned as never;
              socket.push("said", payload);
              return undefined;
            },
          },
        }),
      },
      node: node.node,
      member: 1,
    });
    node.join(world.member.pubsub);
    host = node.node.member(0);
    node.join(host.pubsub);
    client = world.connect();
    handle = PASS;
  });
  afterEach(() => node.stop());

  /** Lets the shard and the keeper exchange all that they have for each other. */
  async function settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) {
      node.drain();
      world.member.drain();
      host.drain();
      await setImmediate();
    }
  }

  async function keep(topic: string, count: number): Promise<void> {
    for (let n = 1; n <= count; n += 1) host.broadcast(topic, "said", { n });
    await settle();
  }

  async function join(topic: string, payload: object): Promise<void> {
    refs += 1;
    client.send(JSON.stringify([`${refs}`, `${refs}`, topic, "phx_join", payload]));
    await settle();
  }

  /** Returns the frames sent since the last call as event and offset, or reason. */
  function told(): string[] {
    return client.taken().map((text) => {
      const [, ref, , event, payload] = JSON.parse(text) as [
        unknown,
        string,
        string,
        string,
        object,
      ];
      const { reason = "", response = {} } = payload as { reason?: string; response?: object };
      const { recovered, count } = (response as { history?: Joined }).history ?? {};
      const about = recovered === undefined ? reason : `${recovered} ${count}`;
      return `${event} ${Number(ref) > BASE ? Number(ref) - BASE : about}`.trim();
    });
  }

  it("is reported when the join is answered", async () => {
    const reports: object[] = [];
    const note = (report: unknown): void => void reports.push(report as object);
    telemetry.history_joined.subscribe(note);
    await keep(TOPIC, 3);
    await join(TOPIC, { history: { last: 2 } });
    telemetry.history_joined.unsubscribe(note);
    const [{ durationMs, ...report }] = reports as [{ durationMs: number }];
    assert.deepEqual(report, { topic: TOPIC, connection: 0, recovered: true, count: 2 });
    assert.ok(durationMs >= 0);
  });

  it("has large bytes for which a client had no room, whose offset it did not get", async () => {
    const others = Array.from({ length: 16 }, () => world.connect());
    const joining = '["1","1","room:1","phx_join",{"history":null}]';
    for (const each of [client, ...others]) each.send(joining);
    await settle();
    for (const each of [client, ...others]) each.taken();
    const epoch = node.store.epoch(TOPIC);
    // So much is unsent that it gets no large broadcast.
    client.connection.heldBytes = 20_000_000;
    host.broadcast(TOPIC, "bytes", new Uint8Array(280_000));
    await settle();
    assert.deepEqual(told(), ["phx_error missed broadcasts"]);
    for (const each of others) {
      const [bytes, mark] = each.taken();
      assert.ok(bytes?.startsWith("hex 02"));
      assert.equal(mark, `[null,"${BASE + 1}","room:1","history",{}]`);
    }
    client.connection.heldBytes = 0;
    client.send(
      JSON.stringify(["2", "2", TOPIC, "phx_join", { history: { epoch, offset: String(BASE) } }]),
    );
    await settle();
    const [reply, bytes, mark] = client.taken();
    assert.match(reply ?? "", /"recovered":true,"count":1/);
    assert.ok(bytes?.startsWith("hex 02"));
    assert.ok(mark?.includes(`"${BASE + 1}"`));
  });

  it("is forgotten with its channel, however long its client does not read", async () => {
    await keep(TOPIC, 3);
    client.connection.setRoom(0);
    for (let times = 0; times < 20; times += 1) await join(TOPIC, ALL);
    assert.equal(client.connection.waiting, 1);
    client.taken();
    client.connection.setRoom(Infinity);
    await settle();
    assert.deepEqual(told(), ["said 1", "said 2", "said 3"]);
  });

  for (const topic of ["seen:1", "seen-at-once:1"]) {
    it(`ends with its connection, which a handler of ${topic} closes`, async () => {
      await keep(topic, 5);
      handle = (its, n) => {
        if (n === 3) its.socket.end(1000, { shutdown: "closed" });
        return undefined;
      };
      await join(topic, ALL);
      assert.deepEqual(told(), ["phx_reply true 5", "said 1", "said 2"]);
      assert.equal(world.count, 0);
    });

    it(`ends with its channel, which a handler of ${topic} ends by an error`, async () => {
      await keep(topic, 5);
      handle = (_its, n) => {
        if (n === 3) throw new Error("no");
        return undefined;
      };
      await join(topic, ALL);
      assert.deepEqual(told(), ["phx_reply true 5", "said 1", "said 2", "phx_error channel_crash"]);
      assert.equal(world.count, 0);

      // The same message again would end the channel again, and so on.
      const epoch = node.store.epoch(topic);
      await join(topic, { history: { epoch, offset: String(BASE + 2) } });
      assert.deepEqual(told(), ["phx_reply false 2", "history 3", "said 4", "said 5"]);
      await join(topic, { history: { epoch, offset: String(BASE + 3) } });
      assert.deepEqual(told(), ["phx_reply true 2", "phx_close", "said 4", "said 5"]);

      // Another client of the topic, and this one on another connection, may be luckier.
      client = world.connect();
      handle = PASS;
      await join(topic, { history: { epoch, offset: String(BASE + 2) } });
      assert.deepEqual(told(), ["phx_reply true 3", "said 3", "said 4", "said 5"]);
    });

    it(`goes on behind what a handler of ${topic} broadcasts meanwhile`, async () => {
      await keep(topic, 3);
      handle = (_its, n) => {
        if (n <= 3) host.broadcast(topic, "said", { n: n + 3 });
        return undefined;
      };
      await join(topic, ALL);
      assert.deepEqual(told(), ["phx_reply true 3", ...[1, 2, 3, 4, 5, 6].map((n) => `said ${n}`)]);
    });

    it(`ends with a leave, and another channel of ${topic} begins where it says`, async () => {
      await keep(topic, 5);
      handle = (its, n) => {
        if (n === 2) its.send(JSON.stringify([`${refs}`, "leave", topic, "phx_leave", {}]));
        return undefined;
      };
      await join(topic, ALL);
      const [first, ...rest] = told();
      assert.equal(first, "phx_reply true 5");
      assert.deepEqual(rest.slice(-2), ["phx_reply", "phx_close"]);
      handle = PASS;
      await join(topic, { history: null });
      await keep(topic, 1);
      assert.deepEqual(told(), ["phx_reply true 0", "said 6"]);
    });
  }
});
