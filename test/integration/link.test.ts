/**
 * A link thread that ends by itself: it is reported, and replaced.
 *
 * Runs on: the main thread of the tests, which is also the main thread of both nodes.
 */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { memoryAdapter } from "../../src/raw.ts";
import { LAST_TOPIC, mortalAdapter } from "../apps/mortal-adapter.ts";
import { within } from "../support/deadline.ts";
import { startServer, type Server } from "../support/server.ts";
import { Deferred } from "../support/world.ts";

const DEADLINE_MS = 20_000;

/** Lines of a server's log that tests wait for. */
class Lines {
  readonly #counts = new Map<string, number>();
  #wake = new Deferred();

  readonly #note = (_: object, text: string): void => {
    this.#counts.set(text, (this.#counts.get(text) ?? 0) + 1);
    this.#wake.resolve(undefined);
    this.#wake = new Deferred();
  };
  readonly sink = { debug: this.#note, info: this.#note, warn: this.#note, error: this.#note };

  /** Waits until a line was logged so many times. */
  async seen(text: string, count: number): Promise<void> {
    const many = async (): Promise<void> => {
      while ((this.#counts.get(text) ?? 0) < count) await this.#wake.promise;
    };
    await within(many(), `line ${count} of "${text}"`, DEADLINE_MS);
  }
}

const ENDED = "link to other nodes ended unexpectedly";
const REPLACED =
  "link to other nodes replaced: broadcasts were lost meanwhile, affected channels get phx_error";
const GIVEN_UP = "link to other nodes ended too often: not replaced, this node is isolated";

/** Broadcasts on one node until the other receives it. */
async function crossed(from: Server, to: Server, n: number): Promise<void> {
  const heard = new Deferred();
  const end = to.subscribe("news", ({ payload }) => heard.resolve(payload));
  from.broadcast("news", "new", { n });
  assert.deepEqual(await within(heard.promise, `news ${n}`, DEADLINE_MS), { n });
  end();
}

describe("A link whose thread ends by itself", () => {
  let ant: Server;
  let bee: Server;
  let lines: Lines;

  beforeEach(async () => {
    lines = new Lines();
    const hub = "link-test";
    [ant, bee] = await Promise.all([
      startServer("nodes", {
        shards: 1,
        logLevel: "debug",
        logger: lines.sink,
        adapter: mortalAdapter({ hub, nodeName: "ant" }),
      }),
      startServer("nodes", { shards: 1, adapter: memoryAdapter({ hub, nodeName: "bee" }) }),
    ]);
  });
  afterEach(async () => {
    await Promise.all([ant.close(), bee.close()]);
  });

  it("is replaced, and the nodes receive each other's broadcasts again", async () => {
    await crossed(ant, bee, 1);
    ant.broadcast(LAST_TOPIC, "now");
    await lines.seen(ENDED, 1);
    await lines.seen(REPLACED, 1);
    await crossed(ant, bee, 2);
    await crossed(bee, ant, 3);
  });

  it("tells subscribers on both sides that they may have missed something", async () => {
    const [antMissed, beeMissed] = [new Deferred(), new Deferred()];
    ant.subscribe(
      "news",
      () => {},
      () => antMissed.resolve(undefined),
    );
    bee.subscribe(
      "news",
      () => {},
      () => beeMissed.resolve(undefined),
    );
    ant.broadcast(LAST_TOPIC, "now");
    await within(beeMissed.promise, "the gap of the other node", DEADLINE_MS);
    await within(antMissed.promise, "the gap of its own node", DEADLINE_MS);
  });

  it("is given up if that happens too often, and the node continues alone", async () => {
    for (let count = 1; count <= 5; count += 1) {
      ant.broadcast(LAST_TOPIC, "now");
      await lines.seen(REPLACED, count);
    }
    ant.broadcast(LAST_TOPIC, "now");
    await lines.seen(GIVEN_UP, 1);
    await crossed(ant, ant, 1);
  });
});
