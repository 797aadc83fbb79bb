import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  eventLengthWord,
  eventUnit,
  NOTE_BYTES,
  runningBytes,
  TEXT_UNITS,
  topicLengthWord,
  topicUnit,
} from "../../src/memory/running-layout.ts";
import {
  clearRunning,
  makeRunningMemory,
  readRunning,
  RunningNote,
} from "../../src/memory/running.ts";

describe("the notes of running callbacks", () => {
  it("do not overlap, and end within their memory", () => {
    for (const member of [0, 1, 2]) {
      const words = [topicLengthWord(member), eventLengthWord(member)];
      assert.deepEqual(words, [(member * NOTE_BYTES) / 4, (member * NOTE_BYTES) / 4 + 1]);
      assert.equal(topicUnit(member) * 2, member * NOTE_BYTES + 8);
      assert.equal(eventUnit(member), topicUnit(member) + TEXT_UNITS);
      assert.ok((eventUnit(member) + TEXT_UNITS) * 2 <= runningBytes(member + 1));
    }
    assert.equal(NOTE_BYTES % 128, 0);
  });

  it("show the callback of each member that runs one", () => {
    const shared = makeRunningMemory(3);
    new RunningNote(shared, 1).write("room:1", "echo");
    assert.deepEqual(
      [0, 1, 2].map((member) => readRunning(shared, member)),
      [undefined, { topic: "room:1", event: "echo" }, undefined],
    );
  });

  it("show the same callback again after they were cleared", () => {
    const shared = makeRunningMemory(1);
    const note = new RunningNote(shared, 0);
    note.write("room:1", "echo");
    note.clear();
    assert.equal(readRunning(shared, 0), undefined);
    note.write("room:1", "echo");
    assert.deepEqual(readRunning(shared, 0), { topic: "room:1", event: "echo" });
    note.write("r", "echo");
    note.write("r", "e");
    assert.deepEqual(readRunning(shared, 0), { topic: "r", event: "e" });
    clearRunning(shared, 0);
    assert.equal(readRunning(shared, 0), undefined);
  });

  it("cut long texts, and keep empty and foreign ones", () => {
    const shared = makeRunningMemory(1);
    const note = new RunningNote(shared, 0);
    note.write("ä".repeat(200), "中".repeat(200));
    assert.deepEqual(readRunning(shared, 0), {
      topic: "ä".repeat(TEXT_UNITS),
      event: "中".repeat(TEXT_UNITS),
    });
    note.write("", "");
    assert.deepEqual(readRunning(shared, 0), { topic: "", event: "" });
  });
});
