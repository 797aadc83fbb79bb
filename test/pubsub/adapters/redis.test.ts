/**
 * The Redis adapter when things go wrong: each test uses a real server.
 *
 * Runs on: the test's thread.
 * Slow: each test starts a Redis server, and some wait for a time limit.
 */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import type { BrokerAdapter, BrokerPatience } from "../../../src/pubsub/adapters/broker-adapter.ts";
import { IDS_GAP, TOPICS_GAP } from "../../../src/pubsub/gap.ts";
import { makeRedisAdapter } from "../../../src/pubsub/adapters/redis.ts";
import { within } from "../../support/deadline.ts";
import { noRedis, TestRedis } from "../../support/redis.ts";

const DEADLINE_MS = 20_000;
/** Retries soon; all other time limits are long. */
const PATIENCE: Partial<BrokerPatience> = { firstRetryMs: 10, mostRetryMs: 100, claimMs: 10_000 };
const MEBIBYTE = 1_048_576;

/** The gaps that an adapter reports by itself. */
const MISSED = new Map([
  [TOPICS_GAP, "missed topics"],
  [IDS_GAP, "missed ids"],
]);

/** Everything that an adapter reported, in order. */
class Told {
  readonly lines: string[] = [];
  readonly errors: unknown[] = [];
  #wake: () => void = () => {};

  readonly add = (line: string): void => {
    this.lines.push(line);
    this.#wake();
  };

  /** Waits for a line. Returns what was reported up to it. */
  async upTo(line: string): Promise<string[]> {
    await this.#until(line, () => this.lines.includes(line));
    return this.lines.splice(0, this.lines.indexOf(line) + 1);
  }

  /** Waits for a line that matches. Returns all matching lines, and drops the others. */
  async some(pattern: RegExp): Promise<string[]> {
    const isOne = (line: string): boolean => pattern.test(line);
    await this.#until(String(pattern), () => this.lines.some(isOne));
    return this.lines.splice(0).filter(isOne);
  }

  async #until(what: string, isSo: () => boolean): Promise<void> {
    const told = async (): Promise<void> => {
      while (!isSo()) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    };
    try {
      await within(told(), what, DEADLINE_MS);
    } catch (cause) {
      throw new Error(`${String(cause)}; told: ${this.lines.join(", ")}`, { cause });
    }
  }
}

interface TestNode {
  readonly adapter: BrokerAdapter;
  readonly told: Told;
  readonly started: Promise<void>;
}

describe("The Redis adapter", { skip: noRedis }, () => {
  let redis: TestRedis;
  let nodes: TestNode[];

  beforeEach(async () => {
    nodes = [];
    redis = await TestRedis.start();
  });
  afterEach(async () => {
    redis.thaw();
    await Promise.all(nodes.map(({ adapter }) => adapter.stop()));
    await redis.kill();
  });

  function begin(
    nodeName: string,
    options: { readonly queueBytes?: number; readonly url?: string } = {},
    patience: Partial<BrokerPatience> = {},
  ): TestNode {
    const { queueBytes: clusterQueueBytes = MEBIBYTE, url: clusterUrl = redis.url } = options;
    const adapter = makeRedisAdapter(
      { clusterUrl, clusterName: "test", nodeName, clusterQueueBytes },
      { ...PATIENCE, ...patience },
    );
    const told = new Told();
    const started = adapter.start(
      (topic, envelope) => told.add(`${topic} ${Buffer.from(envelope).toString()}`),
      (gap) => told.add(MISSED.get(gap) ?? `gap ${Buffer.from(gap).toString()}`),
      {
        onLost: (topics) => told.add(`lost ${typeof topics === "string" ? topics : topics.join()}`),
        onConnected: () => told.add("connected"),
        onDisconnected: (_address, error) => {
          told.errors.push(error);
          told.add("disconnected");
        },
        onError: (error) => {
          told.errors.push(error);
          told.add("error");
        },
      },
    );
    const node = { adapter, told, started };
    nodes.push(node);
    return node;
  }

  async function start(...given: Parameters<typeof begin>): Promise<TestNode> {
    const node = begin(...given);
    await within(node.started, `the start of ${given[0]}`, DEADLINE_MS);
    await node.told.upTo("connected");
    return node;
  }

  function say({ adapter }: TestNode, topic: string, text: string): void {
    adapter.broadcast(topic, Buffer.from(text));
  }

  it("reports to both sides when the server ends and comes back, and goes on", async () => {
    const [ant, bee] = [await start("ant"), await start("bee")];
    await redis.kill();
    for (const { told } of [ant, bee])
      assert.deepEqual(await told.upTo("disconnected"), ["disconnected"]);
    assert.throws(() => say(ant, "t", "lost"), { code: "SIM_ERR_NOT_SENT" });
    await redis.start();
    for (const { told } of [ant, bee]) {
      const lines = await told.upTo("connected");
      assert.deepEqual(lines.slice(-2), ["missed topics", "connected"]);
    }
    say(ant, "t", "hello");
    say(bee, "t", "hi");
    assert.deepEqual(await bee.told.upTo("t hello"), ["t hello"]);
    assert.deepEqual(await ant.told.upTo("t hi"), ["t hi"]);
  });

  it("reports the topics of broadcasts that the server had not accepted when the connection was lost", async () => {
    const ant = await start("ant");
    redis.freeze();
    say(ant, "one", "1");
    ant.adapter.directBroadcast("bee", "two", Buffer.from("2"));
    say(ant, "one", "3");
    // Lets the adapter write them to the socket.
    await new Promise<void>((resolve) => setImmediate(resolve));
    say(ant, "three", "4");
    await redis.kill();
    const lost: string[] = [];
    while (lost.length < 4) lost.push(...(await ant.told.some(/^lost /)));
    assert.deepEqual(lost.toSorted(), ["lost one", "lost one", "lost three", "lost two"]);
  });

  it("reports all topics if a gap was lost", async () => {
    const ant = await start("ant");
    redis.freeze();
    ant.adapter.gap(Buffer.from("a gap"));
    await redis.kill();
    await ant.told.upTo("lost all");
  });

  it("starts while the server is down, serves alone, and is connected once it is up", async () => {
    await redis.kill();
    const ant = begin("ant");
    await within(ant.started, "the start without a server", DEADLINE_MS);
    assert.deepEqual(await ant.told.upTo("disconnected"), ["disconnected"]);
    assert.match(String(ant.told.errors[0]), /ECONNREFUSED/);
    assert.throws(() => say(ant, "t", "lost"), { code: "SIM_ERR_NOT_SENT" });
    await redis.start();
    // It was not reported again at each attempt. What others sent until now did not arrive here.
    assert.deepEqual(await ant.told.upTo("connected"), ["missed topics", "connected"]);
    const bee = await start("bee");
    say(ant, "t", "hello");
    await bee.told.upTo("t hello");
  });

  it("starts if the server accepts connections but does not answer, after its time limit", async () => {
    redis.freeze();
    // The shortest time is over before the connection is there.
    for (const answerMs of [100, 1]) {
      const ant = begin(`ant ${answerMs}`, {}, { answerMs });
      await within(ant.started, "the start without an answer", DEADLINE_MS);
      await ant.told.upTo("disconnected");
      assert.ok(String(ant.told.errors[0]).includes(`no answer within ${answerMs} ms`));
    }
    redis.thaw();
    await nodes[0]?.told.upTo("connected");
  });

  it("notices a server that no longer answers, and reports that", async () => {
    const ant = await start("ant", {}, { keepaliveMs: 50 });
    redis.freeze();
    say(ant, "t", "lost");
    const lines = await ant.told.upTo("lost t");
    assert.deepEqual(lines, ["disconnected", "lost t"]);
    assert.match(String(ant.told.errors[0]), /nothing was received for 150 ms/);
    redis.thaw();
    await ant.told.upTo("connected");
  });

  it("stays connected if nothing is sent but keepalives", async () => {
    const ant = await start("ant", {}, { keepaliveMs: 20 });
    // Each is received by subscribers of the node's own channel.
    const signs = await redis.withClient(async (client) => {
      let count = 0;
      const enough = new Promise<number>((resolve) => {
        void client.subscribe("simurgh:node:test:ant", () => {
          count += 1;
          if (count === 10) resolve(count);
        });
      });
      return within(enough, "ten signs of life", DEADLINE_MS);
    });
    assert.deepEqual([signs, ant.told.lines], [10, []]);
  });

  it("bounds what waits for the server, and sends everything that it accepted, in order", async () => {
    const [ant, bee] = [await start("ant", { queueBytes: 65_536 }), await start("bee")];
    redis.freeze();
    let taken = 0;
    const text = "x".repeat(1_000);
    assert.throws(
      () => {
        for (; taken < 1_000; taken += 1) say(ant, "t", `${taken} ${text}`);
      },
      {
        code: "SIM_ERR_NOT_SENT",
        message: /^an adapter must be able to send, got clusterQueueBytes of what waits/,
      },
    );
    assert.ok(taken > 60 && taken < 66, `${taken} were taken`);
    redis.thaw();
    const lines = await bee.told.upTo(`t ${taken - 1} ${text}`);
    assert.deepEqual(
      lines.map((line) => line.slice(2, -1_001)),
      Array.from({ length: taken }, (_, n) => String(n)),
    );
    say(ant, "t", "again");
    await bee.told.upTo("t again");
  });

  it("accepts a broadcast larger than the bound if nothing else waits", async () => {
    const [ant, bee] = [await start("ant", { queueBytes: 65_536 }), await start("bee")];
    const large = "x".repeat(3 * MEBIBYTE);
    say(ant, "t", large);
    assert.throws(() => say(ant, "t", "small"), { code: "SIM_ERR_NOT_SENT" });
    await bee.told.upTo(`t ${large}`);
  });

  it("reports when the server cuts it because it reads too slowly", async () => {
    const ant = await start("ant");
    await redis.withClient(async (client) => {
      await client.configSet("client-output-buffer-limit", "pubsub 1mb 1mb 1");
      // All within one command, so that the server's buffers fill before anybody can read.
      await client.eval(
        "for i = 1, 50 do redis.call('publish', KEYS[1], string.rep('x', 1e5)) end",
        {
          keys: ["simurgh:all:test"],
        },
      );
    });
    assert.equal((await ant.told.upTo("disconnected")).at(-1), "disconnected");
    assert.deepEqual(await ant.told.upTo("connected"), ["missed topics", "connected"]);
  });

  describe("with a password", () => {
    beforeEach(async () => {
      await redis.withClient(async (client) => {
        await client.sendCommand([
          "ACL",
          "SETUSER",
          "bee",
          "on",
          ">honey",
          "+@all",
          "-publish",
          "allchannels",
        ]);
        await client.sendCommand([
          "ACL",
          "SETUSER",
          "cat",
          "on",
          ">cream",
          "+@all",
          "resetchannels",
        ]);
        await client.sendCommand(["ACL", "SETUSER", "default", ">secret"]);
      });
    });

    for (const [what, user, reply] of [
      ["without one", "", "NOAUTH"],
      ["with a wrong one", ":wrong@", "WRONGPASS"],
      ["as a user that may not publish", "bee:honey@", "NOPERM"],
      ["as a user that may not subscribe", "cat:cream@", "NOPERM"],
    ] as const) {
      it(`fails to start ${what}, with the reason but without the password`, async () => {
        const url = `redis://${user}127.0.0.1:${redis.port}`;
        const { started } = begin("ant", { url });
        const message = new RegExp(
          `^redis://127.0.0.1:${redis.port} must let this node in, subscribe and publish, got ${reply}`,
        );
        await assert.rejects(within(started, "the refusal", DEADLINE_MS), (error: unknown) => {
          assert.ok(error instanceof Error && "code" in error);
          assert.equal(error.code, "SIM_ERR_BROKER_REFUSED");
          assert.match(error.message, message);
          assert.doesNotMatch(String(error.stack), /wrong@|honey|cream/);
          return true;
        });
      });
    }

    it("starts as a user with just the permissions of the README", async () => {
      const rights = ["+hello", "+client", "+subscribe", "+publish", "&simurgh:*"];
      await redis.withClient(async (client) => {
        await client.sendCommand([
          "ACL",
          "SETUSER",
          "dog",
          "on",
          ">bone",
          "resetchannels",
          ...rights,
        ]);
      }, `redis://:secret@127.0.0.1:${redis.port}`);
      const url = `redis://dog:bone@127.0.0.1:${redis.port}`;
      const [ant, bee] = [await start("ant", { url }), await start("bee", { url })];
      ant.adapter.directBroadcast("bee", "t", Buffer.from("hello"));
      await bee.told.upTo("t hello");
    });

    it("starts with the right one", async () => {
      await start("ant", { url: `redis://:secret@127.0.0.1:${redis.port}/3` });
    });
  });

  it("fails to start with the name of a node that is alive, and that node goes on", async () => {
    const [ant, bee] = [await start("ant"), await start("bee")];
    const { started } = begin("ant");
    await assert.rejects(within(started, "the refusal", DEADLINE_MS), {
      code: "SIM_ERR_NODE_NAME",
      message: /^nodeName must be unique in its cluster, got ant, which .+, pid \d+ has as well$/,
    });
    say(bee, "t", "hello");
    assert.deepEqual(await ant.told.upTo("t hello"), ["t hello"]);
    // Once that node is gone, the name is free.
    await ant.adapter.stop();
    await start("ant");
  });

  it("starts one of two nodes that start with the same name at the same time", async () => {
    const outcomes = await within(
      Promise.allSettled([
        begin("ant", {}, { claimMs: 2_000 }).started,
        begin("ant", {}, { claimMs: 2_000 }).started,
      ]),
      "both starts",
      DEADLINE_MS,
    );
    assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
  });

  it("starts if a dead connection with its name is left on the server", async () => {
    await redis.withClient(async (client) => {
      await client.subscribe("simurgh:node:test:ant", () => {});
      await start("ant", {}, { claimMs: 50 });
    });
  });

  it("reports another node with its name that started while neither could see the other", async () => {
    const ant = await start("ant", {}, { keepaliveMs: 50 });
    await redis.kill();
    const other = begin("ant", {}, { keepaliveMs: 50 });
    await within(other.started, "the start without a server", DEADLINE_MS);
    await redis.start();
    for (const { told } of [ant, other]) {
      await told.upTo("error");
      assert.match(String(told.errors.at(-1)), /nodeName must be unique in its cluster, got ant/);
    }
  });

  it("ignores messages from other senders and versions, reports that once, and goes on", async () => {
    const [ant, bee] = [await start("ant"), await start("bee")];
    await redis.withClient(async (client) => {
      await client.publish("simurgh:all:test", "no parcel");
      await client.publish("simurgh:all:test", Buffer.alloc(500));
      await client.publish("simurgh:all:test", Buffer.concat([Buffer.of(3), Buffer.alloc(500, 1)]));
    });
    say(bee, "t", "hello");
    assert.deepEqual(await ant.told.upTo("t hello"), ["error", "error", "t hello"]);
    assert.match(String(ant.told.errors[0]), /must come from a node of this version/);
    assert.match(String(ant.told.errors[1]), /must be complete/);
  });

  /** Cuts the connections of these nodes only. */
  async function cut(...names: readonly string[]): Promise<void> {
    await redis.withClient(async (client) => {
      const list: string = await client.sendCommand(["CLIENT", "LIST"]);
      for (const line of list.split("\n")) {
        const [, id = ""] = /\bid=(\d+)/.exec(line) ?? [];
        const [, name = ""] = /\bname=simurgh:(\S+)/.exec(line) ?? [];
        if (names.includes(name)) await client.sendCommand(["CLIENT", "KILL", "ID", id]);
      }
    });
  }

  function ban({ adapter }: TestNode, id: string, text = "ban"): void {
    adapter.broadcast(id, Buffer.from(text), true);
  }

  it("asks the other nodes for the disconnects that it has missed", async () => {
    const slow = { firstRetryMs: 500, recallMs: 60_000 };
    const [ant, bee] = [await start("ant"), await start("bee", {}, slow)];
    ban(ant, "users:0");
    await bee.told.upTo("users:0 ban");
    await cut("bee");
    await bee.told.upTo("disconnected");
    ban(ant, "users:1");
    say(ant, "t", "missed");
    const lines = await bee.told.upTo("users:1 ban");
    // Something may have been on its way when the connection was lost, so the earlier one can come again.
    const others = lines.filter((line) => line !== "users:0 ban");
    assert.deepEqual(others, ["missed topics", "connected", "users:1 ban"]);
    say(ant, "t", "hello");
    assert.deepEqual(await bee.told.upTo("t hello"), ["t hello"]);
    assert.deepEqual(ant.told.lines, []);
  });

  it("asks again if the others had lost their connections too, and gets their gaps", async () => {
    const [ant, bee] = [
      await start("ant", {}, { firstRetryMs: 10, recallMs: 60_000 }),
      await start("bee", {}, { firstRetryMs: 1_000, mostRetryMs: 1_000, recallMs: 60_000 }),
    ];
    bee.adapter.gap(Buffer.from("users"));
    ban(bee, "users:1");
    await ant.told.upTo("users:1 ban");
    await cut("ant", "bee");
    await ant.told.upTo("connected");
    assert.deepEqual(await ant.told.upTo("users:1 ban"), ["gap users", "users:1 ban"]);
    await bee.told.upTo("connected");
  });

  it("reports that it may have missed disconnects if a node does not answer", async () => {
    const [, bee] = [
      await start("ant", {}, { firstRetryMs: 60_000, mostRetryMs: 60_000 }),
      await start("bee", {}, { recallMs: 100 }),
    ];
    await cut("ant", "bee");
    await bee.told.upTo("missed ids");
    // That node is then forgotten.
    await cut("bee");
    await bee.told.upTo("connected");
    await start("cat");
    assert.ok(!bee.told.lines.includes("missed ids"));
  });

  it("reports that it may have missed disconnects if another node has dropped some", async () => {
    const slow = { firstRetryMs: 500, recallMs: 60_000 };
    const [ant, bee] = [
      await start("ant", { queueBytes: 8 * MEBIBYTE }),
      await start("bee", {}, slow),
    ];
    await cut("bee");
    await bee.told.upTo("disconnected");
    const text = "x".repeat(200_000);
    for (let n = 0; n < 7; n += 1) ban(ant, `users:${n}`, text);
    const lines = await bee.told.upTo("missed ids");
    assert.ok(!lines.includes(`users:0 ${text}`) && lines.includes(`users:6 ${text}`));
  });

  it("does not wait for a node that has stopped", async () => {
    const [ant, bee] = [await start("ant"), await start("bee", {}, { recallMs: 1_000 })];
    const cat = await start("cat");
    await ant.adapter.stop();
    await cut("bee");
    await bee.told.upTo("connected");
    // Its name seems to be taken, so its start takes longer than the limit of bee's question.
    await redis.withClient(async (client) => {
      await client.subscribe("simurgh:node:test:dog", () => {});
      await start("dog", {}, { claimMs: 1_500 });
    });
    say(cat, "t", "hello");
    const lines = await bee.told.upTo("t hello");
    assert.ok(!lines.includes("missed ids"), lines.join(", "));
  });

  it("sends what is left before it stops", async () => {
    const [ant, bee] = [await start("ant"), await start("bee")];
    for (let n = 0; n < 100; n += 1) say(ant, "t", String(n));
    await ant.adapter.stop();
    await bee.told.upTo("t 99");
  });

  it("stops at once while the server is down, and while it does not answer", async () => {
    const ant = await start("ant", {}, { stopMs: 50 });
    redis.freeze();
    say(ant, "t", "never taken");
    await within(ant.adapter.stop(), "the stop", DEADLINE_MS);
    await redis.kill();
    const bee = begin("bee");
    await bee.told.upTo("disconnected");
    await bee.adapter.stop();
  });
});
