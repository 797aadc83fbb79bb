/**
 * Replays the recorded scenarios of Phoenix on one shard, and checks the names in the list of exceptions.
 *
 * Runs on: the main thread of the tests.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EXCEPTIONS } from "./exceptions.ts";
import { playScenarios } from "./played.ts";
import { readTranscript, transcriptNames } from "./scenario.ts";
import { VARIANTS } from "./variants.ts";

describe(VARIANTS.oneShard.name, () => playScenarios(VARIANTS.oneShard));

describe("The list of exceptions", () => {
  it("names only existing transcripts and scenarios", () => {
    const known = transcriptNames().flatMap((transcript) => [
      transcript,
      ...readTranscript(transcript).map(({ name }) => `${transcript}/${name}`),
    ]);
    const named = EXCEPTIONS.map((entry) =>
      "scenario" in entry ? `${entry.transcript}/${entry.scenario}` : entry.transcript,
    );
    assert.deepEqual(
      named.filter((name) => !known.includes(name)),
      [],
    );
  });
});
