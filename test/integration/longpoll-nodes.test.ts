/**
 * Long-poll sessions in a cluster: requests reach all nodes in turns, and are forwarded to the session's.
 *
 * Runs on: the main thread of the tests, which is also the main thread of both nodes.
 * Slow: several nodes, and sessions that end in time.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { memoryAdapter } from "../../src/raw.ts";
import { Client, joined } from "../support/client.ts";
import { Front } from "../support/clients/front.ts";
import { GENERATIONS } from "../support/clients/generations.ts";
import { PageClient } from "../support/clients/page-client.ts";
import { within } from "../support/deadline.ts";
import { ask, LongPollClient } from "../support/longpoll-client.ts";
import { startServer, type Server } from "../support/server.ts";
import { losingAdapter } from "../apps/losing-adapter.ts";

/** How long another node may take. */
const TIMEOUT_MS = 1_000;
const OK = { status: "ok", response: {} };

function startNode(hub: string, nodeName: string): Promise<Server> {
  const adapter = memoryAdapter({ hub, nodeName });
  return startServer("clients", { shards: 2, adapter, longpollTimeoutMs: TIMEOUT_MS });
}

describe("Long-poll, with two nodes of two shards", () => {
  let nodes: readonly Server[] = [];
  let ports: readonly number[] = [];
  before(async () => {
    nodes = await Promise.all(["ant", "bee"].map((name) => startNode("longpoll-nodes", name)));
    ports = nodes.map(({ port }) => port);
  });
  after(async () => {
    await Promise.all(nodes.map((each) => each.close()));
  });

  /** A node by its index. */
  function node(at: number): Server {
    const found = nodes[at];
    assert.ok(found);
    return found;
  }

  /** A client whose session is on the first node, and whose requests go to both in turns. */
  async function polling(topic: string, query?: string): Promise<LongPollClient> {
    const client = await LongPollClient.connect(ports, query);
    assert.equal((await client.send(["1", "1", topic, "phx_join", {}])).status, 200);
    const [joinRef, ref, , event, payload] = (await client.next()) as unknown[];
    assert.deepEqual([joinRef, ref, event], ["1", "1", "phx_reply"]);
    assert.equal((payload as { status: unknown }).status, "ok");
    return client;
  }

  /** A client over WebSocket. */
  async function connected(at: number, topic: string): Promise<Client> {
    const client = await Client.connect(node(at).port);
    await joined(client, topic);
    return client;
  }

  /** Two round trips to each shard, so that all earlier messages have been handled. */
  async function everyShard(): Promise<void> {
    for (let count = 0; count < 4; count += 1) {
      for (const port of ports) await ask(port, "OPTIONS", "/socket/longpoll").answer;
    }
  }

  it("pushes and gets replies, whichever node a request reaches", async () => {
    const client = await polling("room:replies");
    for (let n = 0; n < 12; n += 1) {
      const ref = String(n + 2);
      assert.equal((await client.send(["1", ref, "room:replies", "echo", { n }])).status, 200);
      const reply = ["1", ref, "room:replies", "phx_reply", { ...OK, response: { n } }];
      assert.deepEqual(await client.next(), reply);
    }
    assert.ok(node(1).stats().total.requestsForwarded > 0, "nothing was forwarded");
  });

  it("neither loses, repeats nor reorders broadcasts of both nodes while it polls on both", async () => {
    const client = await polling("room:order");
    const speakers = [await connected(0, "room:order"), await connected(1, "room:order")];
    for (let n = 0; n < 200; n += 1) {
      for (const [from, speaker] of speakers.entries()) {
        speaker.push("room:order", "shout", { from, n });
      }
      // So that some polls come in between and find nothing.
      if (n % 10 === 9) await everyShard();
    }
    const heard: number[][] = [[], []];
    while (heard.flat().length < 400) {
      const [, , , event, payload] = (await client.next()) as unknown[];
      assert.equal(event, "shout");
      const { from, n } = payload as { from: number; n: number };
      heard[from]?.push(n);
    }
    const all = Array.from({ length: 200 }, (_, n) => n);
    assert.deepEqual(heard, [all, all]);
    await Promise.all(speakers.map((speaker) => speaker.close()));
  });

  it("handles the messages of POSTs to both nodes in order", async () => {
    const client = await polling("room:posts");
    const listener = await connected(1, "room:posts");
    for (let n = 0; n < 20; n += 2) {
      const frames = [n, n + 1].map((each) => ["1", null, "room:posts", "shout", { n: each }]);
      assert.equal((await client.send(...frames)).status, 200);
    }
    for (let n = 0; n < 20; n += 1) {
      assert.deepEqual((await listener.next("shout")).payload, { n });
    }
    await listener.close();
  });

  it("carries messages larger than a part in both directions", async () => {
    const client = await polling("room:large");
    const text = "é".repeat(100_000);
    for (const ref of ["2", "3"]) {
      await client.send(["1", ref, "room:large", "echo", { text }]);
      const reply = ["1", ref, "room:large", "phx_reply", { ...OK, response: { text } }];
      assert.deepEqual(await client.next(), reply);
    }
  });

  it("loses nothing if polls on another node are aborted", async () => {
    const client = await polling("room:aborted");
    const speaker = await connected(1, "room:aborted");
    for (let n = 0; n < 10; n += 1) {
      const aborted = client.poll();
      await everyShard();
      aborted.abort();
      speaker.push("room:aborted", "shout", { n });
      await speaker.next("shout");
      assert.deepEqual(await client.next(), [null, null, "room:aborted", "shout", { n }]);
    }
    await speaker.close();
  });

  it("tells a client that polls on another node that its session was disconnected", async () => {
    const client = await polling("room:banned", "vsn=2.0.0&user_id=banned");
    const polls = [client.poll(), client.poll()];
    await everyShard();
    node(1).disconnect("users:banned");
    for (const { answer } of polls) {
      assert.equal((await within(answer, "the end of the session", 5_000)).status, 410);
    }
    for (const port of ports) {
      const path = `/socket/longpoll?vsn=2.0.0&token=${client.token}`;
      assert.equal((await ask(port, "POST", path, "[]").answer).status, 410);
    }
  });

  it("tells a client that polls on another node that its session's shard is restarted", async () => {
    const client = await polling("room:restarted", "vsn=2.0.0&user_id=restarted");
    const session = (await node(0).sockets()).find(({ id }) => id === "users:restarted");
    assert.ok(session);
    const polls = [client.poll(), client.poll()];
    await everyShard();
    await node(0).restartShard(session.shard);
    for (const { answer } of polls) {
      assert.equal((await within(answer, "the end of the session", 5_000)).status, 410);
    }
    const path = `/socket/longpoll?vsn=2.0.0&token=${client.token}`;
    const { status, token } = await ask(node(1).port, "GET", path).answer;
    assert.equal(status, 410);
    assert.notEqual(token, client.token);
  });

  it("opens a new session in time if the session's node is gone", async () => {
    const gone = await startNode("longpoll-nodes", "cat");
    const client = await LongPollClient.connect(gone.port);
    await gone.close();
    const path = `/socket/longpoll?vsn=2.0.0&token=${client.token}`;
    const asked = ports.flatMap((port) => [ask(port, "POST", path, "[]"), ask(port, "GET", path)]);
    const answers = await Promise.all(asked.map(({ answer }) => answer));
    for (const { status, token } of answers) {
      assert.equal(status, 410);
      assert.notEqual(token, client.token);
    }
  });

  for (const generation of GENERATIONS.filter(({ can }) => can.longpoll)) {
    const name = `${generation.name} ${generation.version}`;
    it(`serves ${name} behind a balancer that sends its requests to both`, async () => {
      const front = await Front.start(ports);
      const client = await PageClient.connect(generation, front.port, { carrier: "longpoll" });
      const channel = await client.joined("room:balanced");
      for (let n = 0; n < 20; n += 1) {
        assert.deepEqual(await channel.push("echo", { n }), { status: "ok", response: { n } });
      }
      for (let n = 0; n < 20; n += 1) nodes[n % 2]?.broadcast("room:balanced", "shout", { n });
      const heard: unknown[] = [];
      while (heard.length < 20) heard.push(await channel.next("shout"));
      // Two senders, each in order.
      const numbers = heard.map((payload) => (payload as { n: number }).n);
      for (const from of [0, 1]) {
        const own = Array.from({ length: 10 }, (_, at) => at * 2 + from);
        assert.deepEqual(
          numbers.filter((n) => n % 2 === from),
          own,
        );
      }
      assert.deepEqual([client.closes.size, client.errors.size, channel.errors.size], [0, 0, 0]);
      client.close();
      await front.close();
    });
  }
});

describe("Long-poll, if another node's report on a batch is lost", () => {
  let nodes: readonly Server[] = [];
  let front: Front;
  before(async () => {
    nodes = await Promise.all(
      ["ant", "bee"].map((nodeName) =>
        startServer("clients", {
          shards: 1,
          adapter: losingAdapter({ hub: "longpoll-losses", nodeName }),
          longpollTimeoutMs: TIMEOUT_MS,
        }),
      ),
    );
    const [ant, bee] = nodes;
    assert.ok(ant && bee);
    front = await Front.start(ant.port);
    front.pollsAt = bee.port;
  });
  after(async () => {
    await front.close();
    await Promise.all(nodes.map((node) => node.close()));
  });

  it("ends the session, and tells its client", async () => {
    const [generation] = GENERATIONS;
    assert.ok(generation);
    // The session is on the first node, and polls go to the second. The POST of the join is the only one: if one arrived
    // after the session has ended, the client would close with 1011 instead.
    const client = await PageClient.connect(generation, front.port, { carrier: "longpoll" });
    client.channel("room:1").join();
    assert.equal(await client.closes.next("the end of the session"), 3410);
    client.close();
  });
});
