/**
 * Who tracked what.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Owners } from "../../src/presence/owners.ts";
import { Replica, Row } from "../../src/presence/replica.ts";

const REPLICA = new Replica({ node: "n", member: 2, incarnation: 1 });

function row(topic: string, key: string, dot = 1): Row {
  return new Row(REPLICA, { topic, key, dot, meta: { phx_ref: "r" } });
}

describe("Owners", () => {
  it("have one presence, or several, and give them back once they end", () => {
    const owners = new Owners();
    const [ann, bob] = [{}, {}];
    const rows = [row("room", "a"), row("room", "b"), row("hall", "a")];
    for (const each of rows) owners.set(ann, each);
    owners.set(bob, row("room", "a"));
    assert.equal(owners.get(ann, "room", "b"), rows[1]);
    assert.equal(owners.get(ann, "hall", "b"), undefined);
    assert.notEqual(owners.get(bob, "room", "a"), rows[0]);
    assert.deepEqual(owners.take(ann), rows);
    assert.deepEqual(owners.take(ann), []);
    assert.equal(owners.get(ann, "room", "a"), undefined);
    assert.equal(owners.take(bob).length, 1);
  });

  it("have the later of two rows in one place", () => {
    const owners = new Owners();
    const ann = {};
    for (const count of [1, 2]) {
      const later = row("room", "a", count);
      owners.set(ann, later);
      assert.equal(owners.get(ann, "room", "a"), later);
    }
    owners.set(ann, row("room", "b"));
    const last = row("room", "a", 3);
    owners.set(ann, last);
    assert.deepEqual(
      owners.take(ann).map(({ key, dot }) => [key, dot]),
      [
        ["a", 3],
        ["b", 1],
      ],
    );
  });

  it("forget what is taken from them one by one", () => {
    const owners = new Owners();
    const ann = {};
    const rows = [row("room", "a"), row("room", "b")];
    for (const each of rows) owners.set(ann, each);
    for (const each of rows) owners.delete(ann, each);
    owners.delete(ann, row("room", "a"));
    assert.deepEqual(owners.take(ann), []);
    owners.set(ann, rows[0] as Row);
    owners.delete(ann, row("room", "a"));
    assert.equal(owners.take(ann).length, 1, "another row of the same place was taken for it");
  });

  it("tell apart topics and keys that together read the same", () => {
    const owners = new Owners();
    const ann = {};
    owners.set(ann, row("room:1", "0"));
    owners.set(ann, row("room:", "10"));
    owners.set(ann, row("room", ":10"));
    assert.equal(owners.get(ann, "room:1", "0")?.key, "0");
    assert.equal(owners.get(ann, "room:", "10")?.key, "10");
    assert.equal(owners.take(ann).length, 3);
  });
});
