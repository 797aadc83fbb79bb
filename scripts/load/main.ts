/**
 * `npm run load`: loads a server, shows the progress, and writes a report.
 *
 * Runs on: its own process; server and generator run in two other processes. Load stays on
 *          127.0.0.1.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildGenerator } from "../bench/generator.ts";
import { BAD_OPTION, FAILED, runProgram, tell } from "../bench/program.ts";
import { describeMachine } from "./machine.ts";
import { HELP, parseLoadOptions, type LoadOptions } from "./options.ts";
import { ProgressView } from "./progress.ts";
import { commandOf, optionsIn, type LoadRecord, type ServerDescription } from "./record.ts";
import { makeReport } from "./report.ts";
import { lostOf, type GeneratorResult } from "./result.ts";
import {
  runLoad,
  secondsOfLoad,
  windowOf,
  withTarget,
  wordsOf,
  type RunOutcome,
  type Target,
} from "./run.ts";
import { judge } from "./verdict.ts";

const LOST = 3;

/** Runs the load test. @returns the exit code */
async function load(options: LoadOptions, words: readonly string[]): Promise<number> {
  tell("building native-bench");
  buildGenerator();
  const startedAt = new Date().toISOString();
  const view = new ProgressView(process.stderr, { seconds: windowOf(options) });
  return withTarget(options, async (target) => {
    const outcome = await runLoad(options, target, (interval) => view.show(interval));
    const { result, code, signal, report } = outcome;
    process.stderr.write(report);
    if (outcome.statsFailure !== undefined) tell(`load: ${outcome.statsFailure}`);
    if (result === undefined) {
      if (code !== BAD_OPTION)
        tell(`load: native-bench ended with ${code ?? signal} and without a result`);
      return code === BAD_OPTION ? BAD_OPTION : FAILED;
    }
    const record = recordOf({ options, words, startedAt, target, outcome, result });
    for (const file of write(options.out, record)) tell(file);
    if (lostOf(result) > 0) return LOST;
    return code === 0 ? 0 : FAILED;
  });
}

interface Run {
  readonly options: LoadOptions;
  readonly words: readonly string[];
  readonly startedAt: string;
  readonly target: Target;
  readonly outcome: RunOutcome;
  readonly result: GeneratorResult;
}

function recordOf({ options, words, startedAt, target, outcome, result }: Run): LoadRecord {
  const environment = options.url === undefined ? optionsIn(process.env) : {};
  return {
    version: 1,
    startedAt,
    command: commandOf("load", environment, words),
    machine: describeMachine(),
    server: describeServer(options, target, outcome, environment),
    generator: wordsOf(options, target),
    intervals: outcome.intervals,
    result,
    percentiles: outcome.percentiles,
    verdict: judge(result),
  };
}

function describeServer(
  { url }: LoadOptions,
  target: Target,
  { intervals }: RunOutcome,
  environment: Readonly<Record<string, string>>,
): ServerDescription {
  const shards = intervals.at(-1)?.server?.heapBytes.length ?? 0;
  return {
    isOurs: url === undefined,
    url: target.url,
    shards: shards === 0 ? null : shards,
    environment,
  };
}

function write(folder: string, record: LoadRecord): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const [json, html] = [join(folder, "report.json"), join(folder, "report.html")];
  writeFileSync(json, `${JSON.stringify(record, undefined, 2)}\n`);
  writeFileSync(html, makeReport(record));
  return [json, html];
}

await runProgram({
  name: "load",
  help: HELP,
  parse: parseLoadOptions,
  wantsHelp: ({ help }) => help,
  secondsOf: secondsOfLoad,
  run: load,
});
