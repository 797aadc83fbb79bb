import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { describe, it } from "node:test";

import { Counters, makeCountersMemory, readCounters } from "../../../../src/memory/counters.ts";
import { lifeBytes } from "../../../../src/memory/life-layout.ts";
import { Life } from "../../../../src/memory/life.ts";
import type { EngineApp } from "../../../../src/transport/engine/app-port.ts";
import type {
  ListeningThread,
  NodeListener,
} from "../../../../src/transport/engine/listener-port.ts";
import {
  APP_OPTIONS,
  dealtThread,
  listenerParts,
  nativeEngine,
  noNative,
} from "../../../support/engine.ts";
import { within } from "../../../support/deadline.ts";

const NO_NATIVE = await noNative();

const newLife = (): Life => new Life(new SharedArrayBuffer(lifeBytes(1)));

function makeListener(memory = makeCountersMemory(1), life = newLife()): NodeListener {
  const onReadiness = (isReady: boolean): void => life.setReady(isReady);
  const parts = listenerParts({ counters: new Counters(memory, 0), onReadiness });
  return nativeEngine().createListener(parts);
}

/** Runs a test with an listener that listens. */
async function withListener(
  test: (listener: NodeListener, port: number) => Promise<void>,
  memory = makeCountersMemory(1),
): Promise<void> {
  const listener = makeListener(memory);
  const port = await listener.listen("127.0.0.1", 0);
  try {
    await test(listener, port);
  } finally {
    await listener.close();
  }
}

/** Makes a shard's app that answers every request. */
function makeApp(onRequest: () => void): EngineApp {
  const app = nativeEngine().createApp(APP_OPTIONS);
  app.any("/*", (response) => {
    onRequest();
    response.end();
  });
  return app;
}

function threadOf(app: EngineApp): ListeningThread {
  return dealtThread(nativeEngine().descriptorOf(app));
}

async function asked(port: number, method = "GET"): Promise<Response> {
  // A new connection each time: one that is kept alive stays with the app that it was assigned to.
  const init = { method, headers: { connection: "close" } };
  const answer = await within(fetch(`http://127.0.0.1:${port}/`, init), "an answer");
  await answer.arrayBuffer();
  return answer;
}

async function refused(taken: number): Promise<void> {
  const listener = makeListener();
  await assert.rejects(listener.listen("127.0.0.1", taken), {
    code: "SIM_ERR_LISTEN",
    message: `host and port must be free and local, got 127.0.0.1:${taken}, which is in use or not available; stop the other program, or set another port (SIMURGH_PORT)`,
  });
  await listener.close();
}

describe("the listener that deals", { skip: NO_NATIVE }, () => {
  it("answers 503 with Retry-After while no shard is in the rotation, and counts that", async () => {
    const memory = makeCountersMemory(1);
    await withListener(async (listener, port) => {
      assert.equal(listener.size, 0);
      for (const method of ["GET", "POST", "PUT"]) {
        const answer = await asked(port, method);
        assert.equal(answer.status, 503);
        assert.equal(answer.headers.get("retry-after"), "5");
      }
      // Kept alive, a connection would stay with main.
      const { headers } = await fetch(`http://127.0.0.1:${port}/`);
      assert.equal(headers.get("connection"), "close");
    }, memory);
    assert.equal(readCounters(memory, 0).turnedAway, 4);
  });

  it("assigns connections to the shards in turn, until they are removed", async () => {
    await withListener(async (listener, port) => {
      const counts = [0, 0];
      const apps = counts.map((_, at) =>
        makeApp(() => {
          counts[at] = (counts[at] ?? 0) + 1;
        }),
      );
      const threads = apps.map((app) => threadOf(app));
      for (const thread of threads) listener.add(thread);
      assert.equal(listener.size, 2);
      for (let n = 0; n < 6; n += 1) assert.equal((await asked(port)).status, 200);
      assert.deepEqual(counts, [3, 3]);
      const [first, second] = threads as [ListeningThread, ListeningThread];
      listener.remove(first);
      listener.remove(first);
      for (let n = 0; n < 4; n += 1) await asked(port);
      assert.deepEqual(counts, [3, 7]);
      listener.remove(second);
      assert.equal(listener.size, 0);
      assert.equal((await asked(port)).status, 503);
      for (const app of apps) app.close();
    });
  });

  it("gives a shard no second share if it is added again", async () => {
    await withListener(async (listener, port) => {
      let count = 0;
      const app = makeApp(() => {
        count += 1;
      });
      const thread = threadOf(app);
      listener.add(thread);
      listener.add(thread);
      assert.equal(listener.size, 1);
      await asked(port);
      listener.remove(thread);
      assert.equal((await asked(port)).status, 503);
      assert.equal(count, 1);
      app.close();
    });
  });

  it("gives a shard two connections in each round while it has two turns", async () => {
    await withListener(async (listener, port) => {
      const counts = [0, 0];
      const apps = counts.map((_, at) =>
        makeApp(() => {
          counts[at] = (counts[at] ?? 0) + 1;
        }),
      );
      const [first, second] = apps.map((app) => threadOf(app)) as [
        ListeningThread,
        ListeningThread,
      ];
      listener.add(first);
      listener.setTurns(second, 2);
      assert.equal(listener.has(second), false, "one that is not in the rotation has no turns");
      listener.add(second);
      listener.setTurns(second, 2);
      for (let n = 0; n < 6; n += 1) await asked(port);
      assert.deepEqual(counts.splice(0, 2, 0, 0), [2, 4]);
      listener.setTurns(second, 1);
      for (let n = 0; n < 6; n += 1) await asked(port);
      assert.deepEqual(counts.splice(0, 2, 0, 0), [3, 3]);
      listener.setTurns(second, 2);
      listener.remove(second);
      for (let n = 0; n < 3; n += 1) await asked(port);
      assert.deepEqual(counts, [3, 0]);
      for (const app of apps) app.close();
    });
  });

  it("is ready while it listens with a shard in the rotation", async () => {
    const life = newLife();
    const listener = makeListener(undefined, life);
    const now = (): boolean => life.isReady;
    const app = makeApp(() => {});
    const thread = threadOf(app);
    listener.add(thread);
    assert.equal(now(), false, "it does not listen yet");
    const port = await listener.listen("127.0.0.1", 0);
    assert.equal(now(), true);
    listener.remove(thread);
    assert.equal(now(), false);
    listener.add(thread);
    assert.equal(now(), true);
    listener.leave();
    assert.equal(now(), false);
    assert.equal((await asked(port)).status, 200, "it still takes connections");
    listener.remove(thread);
    listener.add(thread);
    assert.equal(now(), false);
    await listener.close();
    app.close();
  });

  it("is not ready once it has stopped listening", async () => {
    const said: boolean[] = [];
    const life = newLife();
    const listener = makeListener(undefined, life);
    const app = makeApp(() => {});
    listener.add(threadOf(app));
    said.push(life.isReady);
    await listener.listen("127.0.0.1", 0);
    said.push(life.isReady);
    listener.stopListening();
    said.push(life.isReady);
    assert.deepEqual(said, [false, true, false]);
    await listener.close();
    app.close();
  });

  it("reports that a port is taken, by another program or by itself", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    await refused(port);
    other.close();
    await withListener(async (_, own) => refused(own));
  });

  it("reports that a host is not one of this machine", async () => {
    const listener = makeListener();
    await assert.rejects(listener.listen("192.0.2.1", 0), { code: "SIM_ERR_LISTEN" });
    await listener.close();
  });

  it("accepts no more connections once it has stopped listening, and may be closed twice", async () => {
    const listener = makeListener();
    const port = await listener.listen("127.0.0.1", 0);
    listener.stopListening();
    listener.stopListening();
    await assert.rejects(asked(port));
    await listener.close();
  });
});
