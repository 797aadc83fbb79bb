/**
 * What a server would find on this machine: the facts that `simurgh doctor` prints.
 *
 * Runs on: main.
 */

import type { ResolvedOptions } from "../options/options.ts";
import { platformOfProcess } from "../transport/engine/engine.ts";
import { descriptorLimit } from "./descriptors.ts";
import { engineOfServer, engineStats, type EngineStats } from "./server-engine.ts";

/** The facts. */
export interface Examination {
  readonly nodeVersion: string;
  /** System and processor, such as `linux x64`. */
  readonly system: string;
  /** Version of glibc on Linux; undefined with another C library. */
  readonly glibc: string | undefined;
  readonly engine: EngineStats;
  readonly shards: number;
  /** The number of shards that was asked for. */
  readonly wantedShards: number;
  readonly maxConnections: number;
  /** How many files and sockets the process may have open. */
  readonly descriptorLimit: number;
}

/**
 * Chooses and loads the engine as a server would, and returns what there is.
 *
 * @param app - URL of the app module; empty if it is not known
 * @param resolve - resolves the options, with this number of shards if it is given
 * @throws SIM_ERR_ENGINE_UNAVAILABLE if there is none as the options ask for
 */
export async function examine(
  app: string,
  resolve: (shards?: number) => ResolvedOptions,
): Promise<Examination> {
  const chosen = await engineOfServer(app, resolve);
  const { platform, processor, nodeVersion, glibcVersion } = platformOfProcess();
  return {
    nodeVersion,
    system: `${platform} ${processor}`,
    glibc: platform === "linux" ? glibcVersion() : undefined,
    engine: engineStats(chosen),
    shards: chosen.options.shards,
    wantedShards: chosen.wantedShards,
    maxConnections: chosen.options.maxConnections,
    descriptorLimit: descriptorLimit(),
  };
}
