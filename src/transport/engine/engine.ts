/**
 * Loads the engine, uWebSockets.js, once for each thread.
 *
 * Runs on: main first, then each shard. No other file imports the package.
 * Owns: the environment data `simurgh.engine`, with which shards find main's copy.
 *
 * The package is loaded as it is. If, and only if, this fails because GLIBC_2.38 is missing, a
 * relabelled private copy is created (elf-relabel.ts, cache.ts) and loaded instead.
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
/** Environment variable that the engine reads only when it is first loaded into the process. */
const HEADERS_VARIABLE = "UWS_HTTP_MAX_HEADERS_SIZE";

/** Options that can only be set before the engine is loaded. */
export interface EngineOptions {
  /** Requests with more bytes of headers are answered with 431. The engine's default is 4 096. */
  readonly maxHeaderBytes?: number;
}

/** The source from which the engine is loaded; tests pass their own. */
export interface EngineSite {
  readonly packageFolder: string;
  readonly temporaryFolder: string;
  readonly platform: Platform;
  /**
   * The relabelled copy created by the first thread that loaded the engine, if a copy was needed.
   */
  readonly knownCopy: string | undefined;
  /** Loads a module by name or file, as `require` does. */
  readonly load: (nameOrFile: string) => unknown;
}

/** A loaded engine, and the private copy that it was loaded from, if any. */
export interface LoadedEngine {
  readonly engine: Engine;
  readonly copyFile: string | undefined;
}

let loaded: LoadedEngine | undefined;
let loadedMaxHeaderBytes: number | undefined;

/**
 * Returns the engine. The first call on a thread loads it.
 *
 * @throws SIM_ERR_ENGINE_UNAVAILABLE if it cannot be loaded; the message lists the supported
 *   platforms
 * @throws SIM_ERR_OPTION_INVALID if `maxHeaderBytes` is set too late to take effect
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

/** Loads the engine from a site: the package itself, or a relabelled copy of it. */
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

/** Loads the known copy. Returns undefined if there is none, or if it was deleted. */
function loadKnownCopy({ knownCopy, load }: EngineSite): LoadedEngine | undefined {
  if (knownCopy === undefined) return undefined;
  try {
    return { engine: asEngine(load(knownCopy)), copyFile: knownCopy };
  } catch {
    // Temporary files may be deleted while a long-lived process runs. The copy is then created
    // again.
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
      `maxHeaderBytes must be set on the main thread, which loads the engine first, got ${maxHeaderBytes} on another thread`,
    );
  }
  if (loaded !== undefined && loadedMaxHeaderBytes !== maxHeaderBytes) {
    throw makeError(
      "SIM_ERR_OPTION_INVALID",
      `maxHeaderBytes must be that of the process's first server (${loadedMaxHeaderBytes ?? "unset"}), got ${maxHeaderBytes}`,
    );
  }
}

/** Sets the engine's variable while it loads, and restores the environment. */
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
