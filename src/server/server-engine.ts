/**
 * The engine of a server: chosen before anything is created, since the number of shards may depend on it.
 *
 * Runs on: main.
 */

import type { Logger } from "../log/logger.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { chooseEngine, type ChosenEngine, type PassedOver } from "../transport/engine/engine.ts";
import type { Engine } from "../transport/engine/engine-port.ts";

/** The engine of a server, for people. */
export interface EngineStats {
  readonly kind: Engine["kind"];
  readonly name: string;
  readonly version: string;
  /** The number of shards that can serve one port on this system. */
  readonly maxShards: number;
  /** Engines that would have been preferred, why they are not used, and what to do. */
  readonly passedOver: readonly PassedOver[];
}

/** A server's options, and the engine that they ask for. */
export interface ServerEngine extends ChosenEngine {
  /** The options, with as many shards as the engine can have. */
  readonly options: ResolvedOptions;
  /** The number of shards that was asked for. */
  readonly wantedShards: number;
}

/**
 * Resolves a server's options and chooses its engine.
 *
 * @param app - URL of the app module, which may have a native engine of its own
 * @param resolve - resolves the options, with this number of shards if it is given
 * @throws SIM_ERR_ENGINE_UNAVAILABLE, SIM_ERR_OPTION_INVALID
 */
export async function engineOfServer(
  app: string,
  resolve: (shards?: number) => ResolvedOptions,
): Promise<ServerEngine> {
  const options = resolve();
  const chosen = await chooseEngine({
    engine: options.engine,
    from: placesOf(app),
    maxHeaderBytes: options.maxHeaderBytes,
  });
  const { maxShards } = chosen.engine;
  const wantedShards = options.shards;
  const isLimited = wantedShards > maxShards;
  return { ...chosen, options: isLimited ? resolve(maxShards) : options, wantedShards };
}

/** Returns the places from which an app finds packages: its module, and the working directory. */
export function placesOf(app: string): string[] {
  return [...(app.startsWith("file:") ? [app] : []), `${process.cwd()}/`];
}

/** Returns what a server's stats say of its engine. */
export function engineStats({ engine, passedOver }: ChosenEngine): EngineStats {
  const { kind, name, version, maxShards } = engine;
  return { kind, name, version, maxShards, passedOver };
}

/** Logs what a server cannot have because of its engine. */
export function logEngine(
  { engine, passedOver, options, wantedShards }: ServerEngine,
  logger: Logger,
): void {
  const line = engine.kind === "portable" ? "portableEngine" : "engineOfApp";
  for (const { engine: native, reason, advice } of passedOver) {
    logger.log(line, { native, reason, advice });
  }
  if (wantedShards > options.shards) logger.log("oneShard", { wantedShards });
}
