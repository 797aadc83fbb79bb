/**
 * A round: every server in turn is started afresh, loaded, measured and stopped.
 *
 * The servers' order turns round from one to the next, so that a machine that warms up or slows down
 * favours none. Works that are compared with each other share their rounds.
 *
 * Runs on: the bench's process.
 */

import type { Round } from "./comparison.ts";
import { makeCommandLine, runGenerator, type Measurement } from "./generator.ts";
import { startServer, type ServerName, type ServerSetting } from "./servers.ts";
import { showFigure } from "./table.ts";
import { WORKS, type Work, type WorkName } from "./works.ts";

/** One round of works that share it. */
export interface RoundPlan {
  /** Its number, from 1: those of even numbers go backwards. */
  readonly number: number;
  readonly works: readonly WorkName[];
  readonly servers: readonly ServerName[];
  /** Measured seconds of each turn. */
  readonly seconds: number;
  /** How the servers are started. */
  readonly setting?: ServerSetting;
}

/** What one round found, by work. */
export type RoundResults = { readonly [Name in WorkName]?: Round };

/**
 * Runs one round: each server has all works in one turn.
 *
 * @param onMeasured told of each measurement, in a line, when it is there
 */
export async function runRound(
  { number, works, servers, seconds, setting }: RoundPlan,
  onMeasured: (line: string) => void,
): Promise<RoundResults> {
  const results: { [Name in WorkName]?: Measured } = {};
  for (const server of number % 2 === 1 ? servers : servers.toReversed()) {
    for (const name of works) {
      const measurement = await measure(WORKS[name], server, seconds, setting);
      (results[name] ??= {})[server] = measurement;
      onMeasured(`${name} ${number} ${server}: ${describe(WORKS[name], measurement)}`);
    }
  }
  return results;
}

/** A round that is being filled. */
type Measured = { -readonly [Name in keyof Round]: Round[Name] };

async function measure(
  work: Work,
  name: ServerName,
  seconds: number,
  setting?: ServerSetting,
): Promise<Measurement> {
  const server = await startServer(name, work.shards, setting);
  let measurement: Measurement;
  try {
    measurement = await runGenerator(makeCommandLine(work, seconds, server));
  } catch (error) {
    // Why the load failed matters more than how the server ends after that.
    await server.stop().catch((reason: unknown) => process.stderr.write(`${String(reason)}\n`));
    throw error;
  }
  await server.stop();
  return measurement;
}

function describe(work: Work, measurement: Measurement): string {
  const { bottleneck, isServerBehind, isServerStarved, deaf, deafClosed } = measurement;
  return [
    showFigure(work.figure, measurement[work.figure]),
    ...(work.figure === "latencyP99Us" && bottleneck !== undefined ? [bottleneck] : []),
    ...(deaf > 0 ? [`cut ${deafClosed} of ${deaf}`] : []),
    ...(isServerBehind ? ["fell behind"] : []),
    ...(isServerStarved ? ["waited for a core"] : []),
  ].join(", ");
}
