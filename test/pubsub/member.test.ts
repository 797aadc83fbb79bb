import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { ExchangeHandler } from "../../src/pubsub/exchange.ts";
import { kindAndFlags } from "../../src/pubsub/exchange-layout.ts";
import type { Member } from "../../src/pubsub/member.ts";
import { TestNode } from "../support/members.ts";

const TYPE = kindAndFlags(1, 0);
const SLOT = 3;

/** Records what it gets. */
function noting(seen: string[]): ExchangeHandler {
  return {
    onRecord: (from, _type, bytes, offset, length) => {
      seen.push(`${from}:${Buffer.from(bytes.subarray(offset, offset + length)).toString()}`);
    },
    onLapped: (from, slots) => void seen.push(`${from} lapped ${slots === "all" ? slots : "some"}`),
    onError: (error) => assert.fail(String(error)),
  };
}

function send(from: Member, to: number, text: string): boolean {
  const bytes = Buffer.from(text);
  return from.exchange.send(to, SLOT, TYPE, bytes, bytes.length);
}

describe("a member", () => {
  it("knows its node, its number, and whether there can be other nodes", () => {
    const alone = new TestNode().bare(1, []);
    assert.deepEqual([alone.node, alone.number, alone.hasNodes], ["node", 1, false]);
    assert.equal(new TestNode({ link: 2 }).bare(1, []).hasNodes, true);
  });

  it("delivers what a retired member had written, forgets it, and then calls the tasks", () => {
    const node = new TestNode();
    const [one, two] = [node.bare(0, []), node.bare(1, [])];
    const seen: string[] = [];
    one.attach(noting(seen));
    one.onRetired((member) => {
      assert.equal(send(one, member, "late"), false, "it was not forgotten");
      seen.push(`retired ${member}`);
    });
    for (const text of ["a", "b"]) send(two, 0, text);
    one.retire(1, false);
    assert.deepEqual(seen.splice(0), ["1:a", "1:b", "retired 1"]);
    send(two, 0, "c");
    one.retire(1, true);
    assert.deepEqual(seen, ["1:c", "retired 1", "1 lapped all"]);
  });

  it("has no subscriptions when it has stopped", () => {
    const node = new TestNode();
    const [one, two] = [node.bare(0, []), node.bare(1, [])];
    one.index.add(SLOT);
    assert.equal(two.index.has(SLOT, 0), true);
    one.stop();
    assert.equal(two.index.has(SLOT, 0), false);
  });
});
