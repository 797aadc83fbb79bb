/**
 * The contract of all adapters, whatever carries their messages. See `src/pubsub/adapter.ts`.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { Adapter, AdapterReports } from "../../src/pubsub/adapter.ts";
import { within } from "../support/deadline.ts";

/** Stands for the topic of a gap, which has none. */
const GAP = "(gap)";

const NO_REPORTS: AdapterReports = {
  onLost() {},
  onConnected() {},
  onDisconnected() {},
  onError: (error) => assert.fail(String(error)),
};

/** What a node has heard: topics and texts, in order. */
class Inbox {
  readonly heard: [string, string][] = [];
  #wake: () => void = () => {};

  readonly handler = (topic: string, envelope: Uint8Array): void => {
    this.heard.push([topic, textOf(envelope)]);
    // The envelope belongs to the handler, so overwriting it must not affect anyone else.
    envelope.fill(0);
    this.#wake();
  };

  readonly onGap = (gap: Uint8Array): void => this.handler(GAP, gap);

  /** Waits until it has heard `count` messages. */
  async hears(count: number): Promise<void> {
    while (this.heard.length < count) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(woken, `message ${this.heard.length + 1} of ${count}`);
    }
  }
}

/** Returns bytes as text, with one character for each byte. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

interface TestNode {
  readonly adapter: Adapter;
  readonly inbox: Inbox;
}

function isLast([topic]: readonly [string, string]): boolean {
  return topic === "last";
}

/** Returns what a node has heard up to a final message, after which nothing more can arrive. */
async function heardUpTo(from: TestNode, to: TestNode): Promise<[string, string][]> {
  from.adapter.directBroadcast(to.adapter.nodeName, "last", Buffer.from("last"));
  while (!to.inbox.heard.some(isLast)) await to.inbox.hears(to.inbox.heard.length + 1);
  return to.inbox.heard.filter((heard) => !isLast(heard));
}

/**
 * Tests an adapter against the contract.
 *
 * @param makeAdapters - makes the adapters of a new cluster, for nodes with these names
 */
export function describeAdapter(
  name: string,
  makeAdapters: (nodeNames: readonly string[]) => Adapter[],
): void {
  /** Starts a cluster, runs a test in it, and stops it. */
  async function withNodes(
    count: number,
    test: (nodes: readonly TestNode[]) => Promise<void>,
  ): Promise<void> {
    const names = Array.from({ length: count }, (_, at) => `node-${at}`);
    const nodes = makeAdapters(names).map((adapter) => ({ adapter, inbox: new Inbox() }));
    await Promise.all(
      nodes.map(({ adapter, inbox }) => adapter.start(inbox.handler, inbox.onGap, NO_REPORTS)),
    );
    try {
      await test(nodes);
    } finally {
      await Promise.all(nodes.map(({ adapter }) => adapter.stop()));
    }
  }

  describe(`${name} as an adapter`, () => {
    it("has the name of its node", () => {
      const names = makeAdapters(["a", "b"]).map(({ nodeName }) => nodeName);
      assert.deepEqual(names, ["a", "b"]);
    });

    it("sends a broadcast to every other node once, and not to itself", async () => {
      await withNodes(3, async ([a, b, c]) => {
        assert.ok(a && b && c);
        a.adapter.broadcast("räum:1", Buffer.from("hello"));
        assert.deepEqual(await heardUpTo(a, b), [["räum:1", "hello"]]);
        assert.deepEqual(await heardUpTo(a, c), [["räum:1", "hello"]]);
        assert.deepEqual(await heardUpTo(b, a), []);
      });
    });

    it("sends a direct broadcast to one node only", async () => {
      await withNodes(3, async ([a, b, c]) => {
        assert.ok(a && b && c);
        a.adapter.directBroadcast("node-1", "t", Buffer.from("for b"));
        a.adapter.directBroadcast("unknown", "t", Buffer.from("for nobody"));
        assert.deepEqual(await heardUpTo(a, b), [["t", "for b"]]);
        assert.deepEqual(await heardUpTo(a, c), []);
        assert.deepEqual(await heardUpTo(b, a), []);
      });
    });

    it("keeps the order of one sender, of both kinds", async () => {
      await withNodes(2, async ([a, b]) => {
        assert.ok(a && b);
        for (let n = 0; n < 100; n += 1) {
          if (n % 3 === 0) a.adapter.directBroadcast("node-1", "t", Buffer.from(`${n}`));
          else a.adapter.broadcast("t", Buffer.from(`${n}`));
        }
        const numbers = (await heardUpTo(a, b)).map(([, text]) => Number(text));
        assert.deepEqual(
          numbers,
          Array.from({ length: 100 }, (_, n) => n),
        );
      });
    });

    it("sends a gap to every other node, in order with the broadcasts", async () => {
      await withNodes(3, async ([a, b, c]) => {
        assert.ok(a && b && c);
        const gap = Buffer.from("a gap");
        a.adapter.broadcast("t", Buffer.from("before"));
        a.adapter.gap(gap);
        gap.fill(0);
        a.adapter.directBroadcast("node-1", "t", Buffer.from("after"));
        assert.deepEqual(await heardUpTo(a, b), [
          ["t", "before"],
          [GAP, "a gap"],
          ["t", "after"],
        ]);
        assert.deepEqual(await heardUpTo(a, c), [
          ["t", "before"],
          [GAP, "a gap"],
        ]);
        assert.deepEqual(await heardUpTo(b, a), []);
      });
    });

    it("reads the envelope only during the call, and only its part of a larger buffer", async () => {
      await withNodes(2, async ([a, b]) => {
        assert.ok(a && b);
        const shared = new Uint8Array(new SharedArrayBuffer(64)).fill(120);
        shared.set(Buffer.from("own part"), 8);
        a.adapter.broadcast("t", shared.subarray(8, 16));
        a.adapter.directBroadcast("node-1", "t", shared.subarray(8, 16));
        shared.fill(121);
        const parts = [
          ["t", "own part"],
          ["t", "own part"],
        ];
        assert.deepEqual(await heardUpTo(a, b), parts);
      });
    });

    it("carries any bytes, and large records in order with small ones", async () => {
      await withNodes(2, async ([a, b]) => {
        assert.ok(a && b);
        const bytes = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
        const large = Buffer.alloc(3 * 1_048_576 + 1, bytes);
        for (const one of [bytes, large, Buffer.of()]) {
          a.adapter.broadcast("t", one);
          a.adapter.directBroadcast("node-1", "t", one);
        }
        const heard = await heardUpTo(a, b);
        const wanted = [bytes, bytes, large, large, Buffer.of(), Buffer.of()].map(textOf);
        // Not deepEqual, whose message would contain all of the bytes.
        assert.ok(heard.length === wanted.length);
        assert.ok(heard.every(([, text], at) => text === wanted[at]));
      });
    });

    it("gives each node an envelope of its own", async () => {
      await withNodes(3, async ([a, b, c]) => {
        assert.ok(a && b && c);
        const envelope = Buffer.from("hello");
        a.adapter.broadcast("t", envelope);
        await Promise.all([b.inbox.hears(1), c.inbox.hears(1)]);
        assert.deepEqual([b.inbox.heard, c.inbox.heard], [[["t", "hello"]], [["t", "hello"]]]);
        assert.equal(envelope.toString(), "hello");
      });
    });

    it("calls no handler after it stopped, and the others continue", async () => {
      await withNodes(3, async ([a, b, c]) => {
        assert.ok(a && b && c);
        a.adapter.broadcast("t", Buffer.from("before"));
        await b.inbox.hears(1);
        a.adapter.broadcast("t", Buffer.from("on its way"));
        await b.adapter.stop();
        const heard = b.inbox.heard.length;
        a.adapter.broadcast("t", Buffer.from("after"));
        await heardUpTo(a, c);
        assert.equal(b.inbox.heard.length, heard);
        assert.equal(c.inbox.heard.length, 4);
      });
    });

    it("hears nothing from another cluster", async () => {
      await withNodes(2, async ([a, b]) => {
        await withNodes(2, async ([other]) => {
          assert.ok(a && b && other);
          other.adapter.broadcast("t", Buffer.from("elsewhere"));
          assert.deepEqual(await heardUpTo(a, b), []);
        });
      });
    });

    it("may be stopped twice, and before it was started", async () => {
      const [adapter] = makeAdapters(["a"]);
      assert.ok(adapter);
      await adapter.stop();
      await adapter.start(
        () => {},
        () => {},
        NO_REPORTS,
      );
      await adapter.stop();
      await adapter.stop();
    });
  });
}
