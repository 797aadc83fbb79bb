/**
 * Replays the recorded scenarios of Phoenix against the conformance app, on one shard and on two.
 *
 * Runs on: the main thread of the tests. Scenarios share topics, so they run one after the other.
 */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { startChild } from "../support/child.ts";
import { startServerWith } from "../support/server.ts";
import type { Server } from "../support/server.ts";
import { EXCEPTIONS } from "./exceptions.ts";
import { hasSignals, judge, play } from "./replayer.ts";
import { readTranscript, transcriptNames } from "./scenario.ts";
import { VARIANTS } from "./variants.ts";

const missingByTranscript = new Map(
  EXCEPTIONS.filter((entry) => entry.kind === "unbuilt transcript").map(
    ({ transcript, missing }) => [transcript, missing] as const,
  ),
);

const unplayable = new Map(
  EXCEPTIONS.filter((entry) => entry.kind === "unplayable scenario").map(
    ({ transcript, scenario, missing }) =>
      [`${transcript}/${scenario}`, `the recording lacks ${missing}`] as const,
  ),
);

/** Environment variables with which a transcript was recorded, if there were any. */
const ENVIRONMENTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "08-origin-check-on": { CHECK_ORIGIN: "true" },
};
const EMPTY: Readonly<Record<string, string>> = {};
/** The app as a process of its own, for scenarios that end the server. */
const MAIN = "conformance.main";

for (const { name, shards, coalesceMs } of VARIANTS) {
  describe(name, () => {
    const servers = new Map<object, Promise<Server>>();
    const serverFor = (transcript: string): Promise<Server> => {
      const environment = ENVIRONMENTS[transcript] ?? EMPTY;
      const known = servers.get(environment);
      if (known) return known;
      const started = startServerWith(environment, "conformance", { shards, coalesceMs });
      servers.set(environment, started);
      return started;
    };
    after(async () => {
      for (const server of servers.values()) await (await server).close();
    });

    for (const transcript of transcriptNames()) {
      const missing = missingByTranscript.get(transcript);
      const skip = missing === undefined ? false : `not built yet: ${missing}`;
      describe(transcript, { skip }, () => {
        for (const scenario of readTranscript(transcript)) {
          const unplayed = unplayable.get(`${transcript}/${scenario.name}`);
          it(scenario.name, { skip: unplayed }, async () => {
            const args = ["--port", "0", "--shards", String(shards)];
            const variables = { SIMURGH_COALESCE_MS: String(coalesceMs) };
            const child = hasSignals(scenario)
              ? await startChild(MAIN, args, variables)
              : undefined;
            const { port } = child ?? (await serverFor(transcript));
            const arrived = await play(scenario, port, undefined, child);
            assert.equal(judge(scenario, arrived, EXCEPTIONS).join("\n"), "");
          });
        }
      });
    }
  });
}

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
