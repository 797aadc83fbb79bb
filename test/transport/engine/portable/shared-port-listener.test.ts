import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { afterEach, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";

import { Counters, makeCountersMemory, readCounters } from "../../../../src/memory/counters.ts";
import { proxyHeader } from "../../../../src/server/attachment/proxy-header.ts";
import type { EngineApp } from "../../../../src/transport/engine/app-port.ts";
import type {
  ListenerParts,
  ListeningThread,
  NodeListener,
} from "../../../../src/transport/engine/listener-port.ts";
import {
  canSharePort,
  PortableEngine,
} from "../../../../src/transport/engine/portable/portable-engine.ts";
import { APP_OPTIONS, listenerParts } from "../../../support/engine.ts";
import { within } from "../../../support/deadline.ts";
import { exchanged, requestOf, statusesOf } from "../../../support/raw-http.ts";

/** A shard's app, as its thread would serve it. */
interface TestThread extends ListeningThread {
  readonly app: EngineApp;
  /** How many requests it has answered. */
  answered: number;
  /** The outcomes of its attempts to listen. */
  readonly attempts: boolean[];
}

const HOST = "127.0.0.1";
const CAN_SHARE = canSharePort(process.platform, process.versions.node);

let readiness: boolean[] = [];
let onReadiness: (isReady: boolean) => void = () => {};
const closers: (() => unknown)[] = [];

afterEach(async () => {
  onReadiness = (): void => {};
  for (const close of closers.splice(0)) await close();
  readiness = [];
});

function makeListener(engine: PortableEngine, parts: Partial<ListenerParts> = {}): NodeListener {
  const listener = engine.createListener(
    listenerParts({
      onReadiness(isReady) {
        if (readiness.at(-1) !== isReady) readiness.push(isReady);
        onReadiness(isReady);
      },
      ...parts,
    }),
  );
  closers.push(() => listener.close());
  return listener;
}

function makeThread(engine: PortableEngine): TestThread {
  const app = engine.createApp(APP_OPTIONS);
  closers.push(() => app.close());
  const thread: TestThread = {
    app,
    answered: 0,
    attempts: [],
    descriptor: undefined,
    async listen({ host, port, isShared }) {
      const isListening = await engine.listen(app, host, port, isShared).then(
        () => true,
        () => false,
      );
      thread.attempts.push(isListening);
      return isListening;
    },
    stopListening: (isFull) => void engine.stopListening(app, isFull),
  };
  app.any("/*", (response) => {
    thread.answered += 1;
    response.end();
  });
  return thread;
}

async function asked(port: number, method = "GET"): Promise<Response> {
  const init = { method, headers: { connection: "close" } };
  const answer = await within(fetch(`http://${HOST}:${port}/`, init), "an answer");
  await answer.arrayBuffer();
  return answer;
}

/** Lets so many clients connect at once before something happens. @returns how many of them are answered */
async function answeredOf(count: number, port: number, happen: () => void): Promise<number> {
  const request = requestOf("GET /", ["Connection: close"]);
  const clients = Array.from({ length: count }, async () => exchanged(port, request));
  // By then all have connected, and wait to be accepted.
  await setImmediate();
  happen();
  const ends = await Promise.allSettled(clients);
  return ends.filter(({ status }) => status === "fulfilled").length;
}

/** Resolves when the listener is ready, or is not. */
async function becomes(isReady: boolean): Promise<void> {
  if (readiness.at(-1) === isReady) return;
  const changed = new Promise<void>((resolve) => {
    onReadiness = (now): void => {
      if (now === isReady) resolve();
    };
  });
  await within(changed, isReady ? "readiness" : "the end of readiness");
}

/** Takes a port, as another program would. */
async function taken(port: number): Promise<() => Promise<void>> {
  const other = createServer().listen(port, HOST);
  await once(other, "listening");
  return async () => {
    other.close();
    await once(other, "close");
  };
}

for (const canShare of CAN_SHARE ? [true, false] : [false]) {
  describe(`the listener whose shards ${canShare ? "share" : "cannot share"} the port`, () => {
    const engine = new PortableEngine(canShare);

    it("answers 503 with Retry-After while no shard is in the deal, and counts that", async () => {
      const memory = makeCountersMemory(1);
      const listener = makeListener(engine, { counters: new Counters(memory, 0) });
      const port = await listener.listen(HOST, 0);
      assert.equal(listener.size, 0);
      for (const method of ["GET", "POST", "PUT"]) {
        const answer = await asked(port, method);
        assert.equal(answer.status, 503);
        assert.equal(answer.headers.get("retry-after"), "5");
        assert.equal(answer.headers.get("connection"), "close");
      }
      assert.equal(readCounters(memory, 0).turnedAway, 3);
      assert.deepEqual(readiness, [false]);
    });

    it("answers 503 behind a PROXY header, of whoever sends it", async () => {
      const port = await makeListener(engine).listen(HOST, 0);
      for (const header of [
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        proxyHeader("192.0.2.1").toString("latin1"),
      ]) {
        assert.deepEqual(
          statusesOf(await exchanged(port, `${header}${requestOf("GET /")}`)),
          [503],
        );
      }
    });

    it("makes a shard in the deal listen, and main again when it is removed", async () => {
      const listener = makeListener(engine);
      const thread = makeThread(engine);
      listener.add(thread);
      listener.add(thread);
      assert.equal(listener.size, 1);
      const port = await listener.listen(HOST, 0);
      assert.deepEqual(readiness, [false, true]);
      assert.equal((await asked(port)).status, 200);
      listener.remove(thread);
      listener.remove(thread);
      assert.equal(listener.has(thread), false);
      assert.deepEqual(readiness, [false, true, false]);
      await eventually(async () => (await asked(port)).status === 503);
      listener.add(thread);
      await becomes(true);
      await eventually(async () => (await asked(port)).status === 200);
      assert.equal(thread.answered, 2);
    });

    it("replaces a shard by another one", async () => {
      const listener = makeListener(engine);
      const [old, fresh] = [makeThread(engine), makeThread(engine)];
      listener.add(old);
      const port = await listener.listen(HOST, 0);
      listener.add(fresh);
      listener.remove(old);
      await eventually(async () => (await asked(port)).status === 200);
      assert.equal(fresh.answered + old.answered, 1);
      await becomes(true);
      await engine.stopListening(old.app);
      const before = old.answered;
      await asked(port);
      assert.equal(old.answered, before);
    });

    it("does not let a shard listen that is removed before it does", async () => {
      const listener = makeListener(engine);
      const port = await listener.listen(HOST, 0);
      const thread = makeThread(engine);
      listener.add(thread);
      listener.remove(thread);
      await eventually(async () => (await asked(port)).status === 503);
      assert.equal(thread.answered, 0);
      assert.deepEqual(readiness, [false]);
    });

    it("stops listening in a pause, and goes on at the same port", async () => {
      const listener = makeListener(engine);
      const thread = makeThread(engine);
      listener.add(thread);
      const port = await listener.listen(HOST, 0);
      assert.equal(listener.pause(), true);
      assert.equal(listener.pause(), false);
      assert.deepEqual(readiness, [false, true, false]);
      await eventually(async () =>
        asked(port).then(
          () => false,
          () => true,
        ),
      );
      assert.equal(await listener.resume(), true);
      assert.equal((await asked(port)).status, 200);
      assert.equal(readiness.at(-1), true);
    });

    it("has a shard that is removed accept those that wait, before it stops listening", async () => {
      const listener = makeListener(engine);
      const thread = makeThread(engine);
      listener.add(thread);
      const port = await listener.listen(HOST, 0);
      assert.equal(await answeredOf(8, port, () => listener.remove(thread)), 8);
      assert.equal(thread.answered, 8);
    });

    it("has no shard accept those that wait in a pause", async () => {
      const listener = makeListener(engine);
      listener.add(makeThread(engine));
      const port = await listener.listen(HOST, 0);
      const answered = await answeredOf(8, port, () => void listener.pause());
      // One or two are accepted before.
      assert.ok(answered <= 2, `${answered} answers`);
    });

    it("says if the port is taken after a pause, and gets it when it is free", async () => {
      const listener = makeListener(engine);
      const thread = makeThread(engine);
      listener.add(thread);
      const port = await listener.listen(HOST, 0);
      listener.pause();
      let release: (() => Promise<void>) | undefined;
      await eventually(async () => {
        try {
          release = await taken(port);
          return true;
        } catch {
          return false;
        }
      });
      assert.equal(await listener.resume(), false);
      assert.equal(readiness.at(-1), false);
      await release?.();
      await becomes(true);
      assert.equal((await asked(port)).status, 200);
      assert.ok(thread.attempts.includes(false));
    });

    it("reports that a port is taken, by another program or by a server of its kind", async () => {
      const other = createServer().listen(0, HOST);
      await once(other, "listening");
      closers.push(() => void other.close());
      const { port } = other.address() as AddressInfo;
      const code = "SIM_ERR_LISTEN";
      await assert.rejects(makeListener(engine).listen(HOST, port), {
        code,
        message: `host and port must be free and local, got ${HOST}:${port}, which is in use or not available; stop the other program, or set another port (SIMURGH_PORT)`,
      });
      const first = makeListener(engine);
      first.add(makeThread(engine));
      const own = await first.listen(HOST, 0);
      const second = makeListener(engine);
      second.add(makeThread(engine));
      await assert.rejects(second.listen(HOST, own), { code });
      await assert.rejects(makeListener(engine).listen("192.0.2.1", 0), { code });
    });

    it("gets the port again if another program takes it before the shards have it", async () => {
      const listener = makeListener(engine);
      const thread = makeThread(engine);
      const listen = thread.listen.bind(thread);
      const ports: number[] = [];
      thread.listen = async (place): Promise<boolean> => {
        ports.push(place.port);
        return ports.length === 1 ? false : listen(place);
      };
      listener.add(thread);
      const port = await listener.listen(HOST, 0);
      assert.equal(ports.length, 2);
      assert.equal(port, ports[1]);
      assert.equal((await asked(port)).status, 200);
    });

    it("gives up if the shards never get the port", async () => {
      const listener = makeListener(engine);
      const thread = makeThread(engine);
      let attempts = 0;
      thread.listen = async (): Promise<boolean> => {
        attempts += 1;
        return false;
      };
      listener.add(thread);
      await assert.rejects(listener.listen(HOST, 0), { code: "SIM_ERR_LISTEN" });
      assert.ok(attempts >= 5);
      assert.equal(listener.isStopped, true);
    });

    it("is not ready once it leaves, but accepts until it stops listening", async () => {
      const listener = makeListener(engine);
      listener.add(makeThread(engine));
      const port = await listener.listen(HOST, 0);
      listener.leave();
      assert.equal(readiness.at(-1), false);
      assert.equal((await asked(port)).status, 200);
      listener.stopListening();
      listener.stopListening();
      assert.equal(listener.isStopped, true);
      await eventually(async () =>
        asked(port).then(
          () => false,
          () => true,
        ),
      );
      assert.deepEqual(readiness, [false, true, false]);
    });
  });
}

describe(
  "the port of several shards",
  { skip: !CAN_SHARE && "needs Linux and Node.js 22.12" },
  () => {
    it("is dealt by the system, to each of them", async () => {
      const engine = new PortableEngine(true);
      const listener = makeListener(engine);
      const threads = [makeThread(engine), makeThread(engine)];
      for (const thread of threads) listener.add(thread);
      const port = await listener.listen(HOST, 0);
      // By a hash of the client's port: each gets one of 64 with a probability of 1 - 2^-63.
      for (let n = 0; n < 64; n += 1) await asked(port);
      assert.equal(
        threads.reduce((sum, { answered }) => sum + answered, 0),
        64,
      );
      assert.ok(threads.every(({ answered }) => answered > 0));
    });
  },
);

describe("the portable engine", () => {
  it("shares ports on Linux, as of Node.js 22.12 and 23.1", () => {
    const can = ["22.12.0", "23.1.0", "24.0.0", "26.1.0"];
    const cannot = ["20.20.2", "21.7.3", "22.11.0", "23.0.0"];
    for (const version of can) assert.equal(canSharePort("linux", version), true, version);
    for (const version of cannot) assert.equal(canSharePort("linux", version), false, version);
    assert.equal(canSharePort("darwin", "24.0.0"), false);
    assert.equal(new PortableEngine(false).maxShards, 1);
  });

  it("listens and stops in the order of the calls", async () => {
    const engine = new PortableEngine();
    const { app } = makeThread(engine);
    const listening = engine.listen(app, HOST, 0);
    const stopped = engine.stopListening(app);
    const port = await listening;
    await stopped;
    const release = await taken(port);
    await release();
    const again = engine.listen(app, HOST, port);
    assert.equal(await again, port);
    await assert.rejects(engine.listen(makeThread(engine).app, HOST, port), {
      code: "SIM_ERR_LISTEN",
    });
  });

  it("keeps nothing of attempts to listen on a port that is taken", async () => {
    const engine = new PortableEngine();
    const { app } = makeThread(engine);
    const port = await engine.listen(makeThread(engine).app, HOST, 0);
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on("warning", note);
    // Node.js warns of more than ten listeners of an event.
    for (let attempt = 0; attempt < 12; attempt += 1) {
      await assert.rejects(engine.listen(app, HOST, port), { code: "SIM_ERR_LISTEN" });
    }
    await setImmediate();
    process.off("warning", note);
    assert.deepEqual(warnings, []);
  });
});

/** Repeats a check until it holds. Each check waits for an answer of the other side. */
async function eventually(check: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const isFulfilled = await check().catch(() => false);
    if (isFulfilled) return;
    assert.ok(performance.now() < deadlineMs, "it never became true");
  }
}
