/**
 * Replays the recorded scenarios of Phoenix against the conformance app, in one variant.
 *
 * Runs on: the main thread of the tests.
 *
 * Scenarios share topics, so most of them run one after the other. Scenarios that take as long as their recording
 * start early, apart from the others, and their tests wait for the outcome:
 *
 *   without a topic     all at once, against a server for their transcript, because they cannot affect each other
 *   with a topic        one after the other, against the same server
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { startChild } from "../support/child.ts";
import { startServerWith } from "../support/server.ts";
import type { Server } from "../support/server.ts";
import { EXCEPTIONS, exceptionsWith } from "./exceptions.ts";
import { hasSignals, hasSilence, hasTopic, judge, play } from "./replayer.ts";
import { readTranscript, transcriptNames } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";
import type { Variant } from "./variants.ts";

type Arrivals = Awaited<ReturnType<typeof play>>;

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

type Environment = Readonly<Record<string, string>>;

/** Environment variables with which a transcript was recorded, if there were any. */
const ENVIRONMENTS: Readonly<Record<string, Environment>> = {
  "08-origin-check-on": { CHECK_ORIGIN: "true" },
};
const EMPTY: Environment = {};
/** The app as a process of its own, for scenarios that end the server. */
const MAIN = "conformance.main";

/** Scenarios that take long. */
const EARLY = transcriptNames()
  .filter((transcript) => !missingByTranscript.has(transcript))
  .flatMap((transcript) => readTranscript(transcript))
  .filter((scenario) => !unplayable.has(nameOf(scenario)))
  .filter((scenario) => hasSilence(scenario) && !hasSignals(scenario));
const EARLY_TRANSCRIPTS = [...new Set(EARLY.map(({ transcript }) => transcript))];

/** Defines a test for each scenario, in the calling suite. */
export function playScenarios({ shards, coalesceMs }: Variant): void {
  const started: Server[] = [];
  /** Ports of the servers for scenarios that do not start early, by environment. */
  const ports = new Map<Environment, number>();
  /** Outcomes of scenarios that start early. */
  const early = new Map<string, Promise<Arrivals>>();

  before(async () => {
    for (const [transcript, port] of await startFor(EARLY_TRANSCRIPTS, () => EMPTY)) {
      playTogether(
        EARLY.filter((each) => each.transcript === transcript),
        port,
      );
    }
    const environments = [EMPTY, ...Object.values(ENVIRONMENTS)];
    for (const [environment, port] of await startFor(environments, (each) => each))
      ports.set(environment, port);
  });
  after(async () => {
    await Promise.allSettled(early.values());
    for (const server of started) await server.close();
  });

  /** Starts a server for each, one after the other, because they inherit the environment of this process. */
  async function startFor<Each>(
    all: readonly Each[],
    environmentOf: (each: Each) => Environment,
  ): Promise<(readonly [Each, number])[]> {
    const made: (readonly [Each, number])[] = [];
    for (const each of all) {
      // Phoenix has no limit for nesting.
      const options = { shards, coalesceMs, maxJsonDepth: 1_000_000 };
      const server = await startServerWith(environmentOf(each), "conformance", options);
      started.push(server);
      made.push([each, server.port]);
    }
    return made;
  }

  function playTogether(scenarios: readonly Scenario[], port: number): void {
    let last: Promise<unknown> = Promise.resolve();
    for (const scenario of scenarios) {
      if (!hasTopic(scenario)) void keep(scenario, play(scenario, port));
      else
        last = keep(
          scenario,
          last.then(() => play(scenario, port)),
        );
    }
  }

  /** Keeps an outcome for its test. @returns a promise that settles with it and never rejects */
  function keep(scenario: Scenario, outcome: Promise<Arrivals>): Promise<unknown> {
    early.set(nameOf(scenario), outcome);
    return outcome.catch(() => undefined);
  }

  async function playInProcess(scenario: Scenario): Promise<Arrivals> {
    const args = ["--port", "0", "--shards", String(shards)];
    const child = await startChild(MAIN, args, { SIMURGH_COALESCE_MS: String(coalesceMs) });
    return play(scenario, child.port, undefined, child);
  }

  for (const transcript of transcriptNames()) {
    const missing = missingByTranscript.get(transcript);
    const skip = missing === undefined ? false : `not built yet: ${missing}`;
    describe(transcript, { skip }, () => {
      for (const scenario of readTranscript(transcript)) {
        const unplayed = unplayable.get(nameOf(scenario));
        it(scenario.name, { skip: unplayed }, async () => {
          const port = ports.get(ENVIRONMENTS[transcript] ?? EMPTY);
          assert.ok(port !== undefined);
          const arrived = hasSignals(scenario)
            ? await playInProcess(scenario)
            : await (early.get(nameOf(scenario)) ?? play(scenario, port));
          // A broadcast that is still held would reach the next scenario, whose topics are the same.
          if (coalesceMs > 0) await delay(2 * coalesceMs);
          const engine = started[0]?.stats().engine.kind ?? "";
          assert.equal(judge(scenario, arrived, exceptionsWith(engine)).join("\n"), "");
        });
      }
    });
  }
}

function nameOf({ transcript, name }: Scenario): `${string}/${string}` {
  return `${transcript}/${name}`;
}
