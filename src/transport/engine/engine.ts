/**
 * Loads the engine, uWebSockets.js, once for each thread.
 *
 * Runs on: main first, then each shard. It alone imports the package.
 * Owns: the environment data `simurgh.engine`, by which shards find main's copy.
 *
 * The package is tried as it is. If, and only if, the loader says that GLIBC_2.38 is
 * missing, a relabelled private copy is made (elf-relabel.ts, engine-cache.ts) and loaded.
 */

import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { getEnvironmentData, isMainThread, setEnvironmentData } from "node:worker_threads";

import { makeError } from "../../errors.ts";
import { MISSING_VERSION } from "./elf-relabel.ts";
import { relabelledCopy } from "./cache.ts";
import { binaryName, currentPlatform, unavailableMessage } from "./platform.ts";
import type { Platform } from "./platform.ts";
import type { Engine } from "./engine-types.ts";

const PACKAGE = "uWebSockets.js";
const COPY_KEY = "simurgh.engine";
/** Variable that the engine reads while it is loaded into the process, and never again. */
const HEADERS_VARIABLE = "UWS_HTTP_MAX_HEADERS_SIZE";

/** What can only be chosen before the engine is loaded. */
export interface EngineOptions {
  /** Bytes of a request's headers above which it is answered with 431; the engine's own is 4 096. */
  readonly maxHeaderBytes?: number;
}

/** Where the engine comes from; tests put another in its place. */
export interface EngineSite {
  readonly packageFolder: string;
  readonly temporaryFolder: string;
  readonly platform: Platform;
  /** The copy that the thread which loaded first has made, if it had to. */
  readonly knownCopy: string | undefined;
  /** Loads a module by its name or file, as `require` does. */
  readonly load: (nameOrFile: string) => unknown;
}

/** An engine and the private copy that it came from, if it did. */
export interface LoadedEngine {
  readonly engine: Engine;
  readonly copyFile: string | undefined;
}

let loaded: LoadedEngine | undefined;
let loadedMaxHeaderBytes: number | undefined;

/**
 * Gives the engine, and loads it on the thread's first call.
 *
 * @throws SIM_ERR_ENGINE_UNAVAILABLE when it cannot be loaded; says where it can
 * @throws SIM_ERR_OPTION_INVALID when `maxHeaderBytes` comes too late to be heeded
 */
export function loadEngine(options: EngineOptions = {}): Engine {
  checkInTime(options.maxHeaderBytes);
  if (loaded !== undefined) return loaded.engine;
  const site = defaultSite();
  loaded = withMaxHeaderBytes(
    options.maxHeaderBytes,
    () => loadKnownCopy(site) ?? openEngine(site),
  );
  loadedMaxHeaderBytes = options.maxHeaderBytes;
  setEnvironmentData(COPY_KEY, loaded.copyFile);
  return loaded.engine;
}

/** Loads the engine from a site: the package itself, or else a relabelled copy of it. */
export function openEngine(site: EngineSite): LoadedEngine {
  const known = loadKnownCopy(site);
  if (known !== undefined) return known;
  try {
    return { engine: asEngine(site.load(PACKAGE)), copyFile: undefined };
  } catch (error) {
    if (!String(error).includes(MISSING_VERSION)) throw unavailable(site, error);
  }
  try {
    const copyFile = relabelledCopy(join(site.packageFolder, binaryName(site.platform)), {
      package: site.packageFolder,
      temporary: site.temporaryFolder,
    });
    return { engine: asEngine(site.load(copyFile)), copyFile };
  } catch (error) {
    throw unavailable(site, error);
  }
}

/** Loads the copy that is known of; undefined where there is none, or none any more. */
function loadKnownCopy({ knownCopy, load }: EngineSite): LoadedEngine | undefined {
  if (knownCopy === undefined) return undefined;
  try {
    return { engine: asEngine(load(knownCopy)), copyFile: knownCopy };
  } catch {
    // Temporary files are cleaned away under long-lived processes: made again, same name.
    return undefined;
  }
}

function defaultSite(): EngineSite {
  const require = createRequire(import.meta.url);
  const knownCopy = getEnvironmentData(COPY_KEY);
  return {
    packageFolder: packageFolderBy(require),
    temporaryFolder: tmpdir(),
    platform: currentPlatform(),
    knownCopy: typeof knownCopy === "string" ? knownCopy : undefined,
    load: (nameOrFile) => require(nameOrFile),
  };
}

function packageFolderBy(require: NodeJS.Require): string {
  try {
    return dirname(require.resolve(PACKAGE));
  } catch {
    return PACKAGE;
  }
}

function asEngine(module: unknown): Engine {
  const isEngine = typeof module === "object" && module !== null && "App" in module;
  if (!isEngine) throw new TypeError(`${PACKAGE} must export App, got ${typeof module}`);
  return module as Engine;
}

function unavailable(site: EngineSite, cause: unknown): Error {
  const message = unavailableMessage(site.packageFolder, site.platform);
  return makeError("SIM_ERR_ENGINE_UNAVAILABLE", `${message} (${String(cause)})`, { cause });
}

function checkInTime(maxHeaderBytes: number | undefined): void {
  if (maxHeaderBytes === undefined) return;
  if (!isMainThread) {
    throw makeError(
      "SIM_ERR_OPTION_INVALID",
      `maxHeaderBytes must be set on the main thread, where the engine loads first, got ${maxHeaderBytes} on another`,
    );
  }
  if (loaded !== undefined && loadedMaxHeaderBytes !== maxHeaderBytes) {
    throw makeError(
      "SIM_ERR_OPTION_INVALID",
      `maxHeaderBytes must be that of the process's first server (${loadedMaxHeaderBytes ?? "unset"}), got ${maxHeaderBytes}`,
    );
  }
}

/** Has the engine see the limit while it loads, and leaves the environment as it was. */
function withMaxHeaderBytes<Result>(bytes: number | undefined, load: () => Result): Result {
  if (bytes === undefined) return load();
  const before = process.env[HEADERS_VARIABLE];
  process.env[HEADERS_VARIABLE] = String(bytes);
  try {
    return load();
  } finally {
    if (before === undefined) delete process.env[HEADERS_VARIABLE];
    else process.env[HEADERS_VARIABLE] = before;
  }
}
