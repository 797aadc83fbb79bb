/**
 * A round of a benchmark: each server in turn is started, loaded, measured and stopped.
 *
 * The order of the servers is reversed from one round to the next, so that a machine that becomes
 * faster or slower favours none of them. Workloads that are compared with each other share their
 * rounds.
 *
 * Runs on: the bench's process.
 */

import type { Round } from "./comparison.ts";
import { makeCommandLine, runGenerator, type Measurement } from "./generator.ts";
import { startServer, type ServerName, type ServerSetting } from "./servers.ts";
import { showFigure } from "./table.ts";
import { WORKS, type Work, type WorkName } from "./works.ts";

/** The plan of one round. */
export interface RoundPlan {
  /** The number of the round, from 1. Even rounds use the servers in reverse order. */
  readonly number: number;
  readonly works: readonly WorkName[];
  readonly servers: readonly ServerName[];
  /** Length of the measured window of each turn, in seconds. */
  readonly seconds: number;
  /** Further settings of the servers. */
  readonly setting?: ServerSetting;
}

/** The results of one round, by workload. */
export type RoundResults = { readonly [Name in WorkName]?: Round };

/**
 * Runs one round. Each server runs all workloads in its turn.
 *
 * @param onMeasured called with a line of text for each measurement
 */
export async function runRound(
  { number, works, servers, seconds, setting }: RoundPlan,
  onMeasured: (line: string) => void,
): Promise<RoundResults> {
  const results: { [Name in WorkName]?: Measured } = {};
  for (const server of number % 2 === 1 ? servers : servers.toReversed()) {
    for (const name of works) {
      if (isLeftOut(WORKS[name], server)) continue;
      const measurement = await measure(WORKS[name], server, seconds, setting);
      (results[name] ??= {})[server] = measurement;
      onMeasured(`${name} ${number} ${server}: ${describe(WORKS[name], measurement)}`);
    }
  }
  return results;
}

/** Reports whether a workload cannot be run on a server. */
export function isLeftOut({ leavesOut = [] }: Work, server: ServerName): boolean {
  return leavesOut.includes(server);
}

/** A round whose results are still being added. */
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
    // A failure of the load is more important than a failure to stop the server.
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
