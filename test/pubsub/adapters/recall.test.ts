import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Recall } from "../../../src/pubsub/adapters/recall.ts";

/** A node that has lost its connection and has asked ant, and what it has reported since. */
function asking(): { readonly recall: Recall; readonly told: string[] } {
  const told: string[] = [];
  const recall = new Recall(
    {
      ask: (node) => void told.push(`ask ${node ?? "all"}`),
      trySend: () => true,
      answer: (node, isComplete) => void told.push(`answer ${node} ${isComplete}`),
      unsure: () => void told.push("unsure"),
    },
    60_000,
  );
  recall.connected();
  recall.heard("ant");
  recall.lost(performance.now());
  recall.connected();
  assert.deepEqual(told.splice(0), ["ask all", "ask all"]);
  return { recall, told };
}

describe("a question for missed disconnects", () => {
  it("is done when all have answered completely", () => {
    const { recall, told } = asking();
    recall.answered("ant", true);
    recall.left("ant");
    assert.deepEqual(told, []);
  });

  it("leaves the node unsure if an answer is not complete", () => {
    const { recall, told } = asking();
    recall.answered("ant", false);
    assert.deepEqual(told, ["unsure"]);
  });

  it("leaves the node unsure, once, if the answer of a node that it did not know is not complete", () => {
    const { recall, told } = asking();
    recall.answered("bee", false);
    assert.deepEqual(told, []);
    recall.answered("ant", true);
    assert.deepEqual(told, ["unsure"]);
    recall.answered("cat", false);
    recall.answered("cat", false);
    assert.deepEqual(told, ["unsure", "unsure"]);
  });

  it("leaves the node unsure if another one stops before it has answered", () => {
    const { recall, told } = asking();
    recall.left("ant");
    assert.deepEqual(told, ["unsure"]);
    // It is forgotten: if its answer were awaited again, it would be asked again.
    recall.lost(performance.now());
    recall.connected();
    recall.asked("ant", "Ant", 0);
    assert.deepEqual(told, ["unsure", "ask all", "answer Ant true"]);
  });

  it("is put again to a node that asks while its own answer is awaited", () => {
    const { recall, told } = asking();
    recall.asked("ant", "Ant", 0);
    recall.stop();
    assert.deepEqual(told, ["answer Ant true", "ask Ant"]);
  });
});
