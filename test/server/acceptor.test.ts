import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { describe, it } from "node:test";

import { Counters, makeCountersMemory, readCounters } from "../../src/memory/counters.ts";
import { lifeBytes } from "../../src/memory/life-layout.ts";
import { Life } from "../../src/memory/life.ts";
import { Acceptor } from "../../src/server/acceptor.ts";
import type { EngineApp } from "../../src/transport/engine/engine-types.ts";
import { loadEngine } from "../../src/transport/engine/engine.ts";
import { within } from "../support/deadline.ts";

const newLife = (): Life => new Life(new SharedArrayBuffer(lifeBytes(1)));

function makeAcceptor(memory = makeCountersMemory(1), life = newLife()): Acceptor {
  return new Acceptor(
    loadEngine(),
    { watch() {}, requested() {}, answered() {} },
    new Counters(memory, 0),
    life,
  );
}

/** Runs a test with an acceptor that listens. */
async function withAcceptor(
  test: (acceptor: Acceptor, port: number) => Promise<void>,
  memory = makeCountersMemory(1),
): Promise<void> {
  const acceptor = makeAcceptor(memory);
  const port = acceptor.listen("127.0.0.1", 0);
  try {
    await test(acceptor, port);
  } finally {
    acceptor.close();
  }
}

/** Makes a shard's app that answers every request. */
function makeApp(onRequest: () => void): EngineApp {
  const app = loadEngine().App();
  app.any("/*", (response) => {
    onRequest();
    response.end();
  });
  return app;
}

async function asked(port: number, method = "GET"): Promise<Response> {
  // A new connection each time: one that is kept alive stays with the app that it was assigned to.
  const init = { method, headers: { connection: "close" } };
  const answer = await within(fetch(`http://127.0.0.1:${port}/`, init), "an answer");
  await answer.arrayBuffer();
  return answer;
}

function refused(taken: number): void {
  const acceptor = makeAcceptor();
  assert.throws(() => acceptor.listen("127.0.0.1", taken), {
    code: "SIM_ERR_LISTEN",
    message: `host and port must be free and local, got 127.0.0.1:${taken}, which is in use or not available; stop the other program, or set another port (SIMURGH_PORT)`,
  });
  acceptor.close();
}

describe("the acceptor", () => {
  it("answers 503 with Retry-After while no shard is in the rotation, and counts that", async () => {
    const memory = makeCountersMemory(1);
    await withAcceptor(async (acceptor, port) => {
      assert.equal(acceptor.size, 0);
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
    await withAcceptor(async (acceptor, port) => {
      const counts = [0, 0];
      const apps = counts.map((_, at) =>
        makeApp(() => {
          counts[at] = (counts[at] ?? 0) + 1;
        }),
      );
      const descriptors = apps.map((app) => app.getDescriptor());
      for (const descriptor of descriptors) acceptor.add(descriptor);
      assert.equal(acceptor.size, 2);
      for (let n = 0; n < 6; n += 1) assert.equal((await asked(port)).status, 200);
      assert.deepEqual(counts, [3, 3]);
      const [first = 0, second = 0] = descriptors;
      acceptor.remove(first);
      acceptor.remove(first);
      for (let n = 0; n < 4; n += 1) await asked(port);
      assert.deepEqual(counts, [3, 7]);
      acceptor.remove(second);
      assert.equal(acceptor.size, 0);
      assert.equal((await asked(port)).status, 503);
      for (const app of apps) app.close();
    });
  });

  it("gives a shard no second share if it is added again", async () => {
    await withAcceptor(async (acceptor, port) => {
      let count = 0;
      const app = makeApp(() => {
        count += 1;
      });
      const descriptor = app.getDescriptor();
      acceptor.add(descriptor);
      acceptor.add(descriptor);
      assert.equal(acceptor.size, 1);
      await asked(port);
      acceptor.remove(descriptor);
      assert.equal((await asked(port)).status, 503);
      assert.equal(count, 1);
      app.close();
    });
  });

  it("gives a shard two connections in each round while it has two turns", async () => {
    await withAcceptor(async (acceptor, port) => {
      const counts = [0, 0];
      const apps = counts.map((_, at) =>
        makeApp(() => {
          counts[at] = (counts[at] ?? 0) + 1;
        }),
      );
      const [first = 0, second = 0] = apps.map((app) => app.getDescriptor());
      acceptor.add(first);
      acceptor.setTurns(second, 2);
      assert.equal(acceptor.has(second), false, "one that is not in the rotation has no turns");
      acceptor.add(second);
      acceptor.setTurns(second, 2);
      for (let n = 0; n < 6; n += 1) await asked(port);
      assert.deepEqual(counts.splice(0, 2, 0, 0), [2, 4]);
      acceptor.setTurns(second, 1);
      for (let n = 0; n < 6; n += 1) await asked(port);
      assert.deepEqual(counts.splice(0, 2, 0, 0), [3, 3]);
      acceptor.setTurns(second, 2);
      acceptor.remove(second);
      for (let n = 0; n < 3; n += 1) await asked(port);
      assert.deepEqual(counts, [3, 0]);
      for (const app of apps) app.close();
    });
  });

  it("is ready while it listens with a shard in the rotation", async () => {
    const life = newLife();
    const acceptor = makeAcceptor(undefined, life);
    const now = (): boolean => life.isReady;
    const app = makeApp(() => {});
    const descriptor = app.getDescriptor();
    acceptor.add(descriptor);
    assert.equal(now(), false, "it does not listen yet");
    const port = acceptor.listen("127.0.0.1", 0);
    assert.equal(now(), true);
    acceptor.remove(descriptor);
    assert.equal(now(), false);
    acceptor.add(descriptor);
    assert.equal(now(), true);
    acceptor.leave();
    assert.equal(now(), false);
    assert.equal((await asked(port)).status, 200, "it still takes connections");
    acceptor.remove(descriptor);
    acceptor.add(descriptor);
    assert.equal(now(), false);
    acceptor.close();
    app.close();
  });

  it("is not ready once it has stopped listening", () => {
    const said: boolean[] = [];
    const life = newLife();
    const acceptor = makeAcceptor(undefined, life);
    const app = makeApp(() => {});
    acceptor.add(app.getDescriptor());
    said.push(life.isReady);
    acceptor.listen("127.0.0.1", 0);
    said.push(life.isReady);
    acceptor.stopListening();
    said.push(life.isReady);
    assert.deepEqual(said, [false, true, false]);
    acceptor.close();
    app.close();
  });

  it("reports that a port is taken, by another program or by itself", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    refused(port);
    other.close();
    await withAcceptor(async (_, own) => refused(own));
  });

  it("reports that a host is not one of this machine", () => {
    const acceptor = makeAcceptor();
    assert.throws(() => acceptor.listen("192.0.2.1", 0), { code: "SIM_ERR_LISTEN" });
    acceptor.close();
  });

  it("accepts no more connections once it has stopped listening, and may be closed twice", async () => {
    const acceptor = makeAcceptor();
    const port = acceptor.listen("127.0.0.1", 0);
    acceptor.stopListening();
    acceptor.stopListening();
    await assert.rejects(asked(port));
    acceptor.close();
  });
});
