/**
 * The engine of a server: main chooses and loads one, and each shard loads the same.
 *
 *   auto:        the application's own uWebSockets.js -> the one that comes with Simurgh -> the portable engine
 *   native:      the application's own uWebSockets.js -> the one that comes with Simurgh
 *   portable:    the portable engine
 *   other texts: that package or file
 *
 * The first that loads and has all calls is used.
 *
 * Runs on: main, shard.
 */

import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { makeError } from "../../errors.ts";
import { NativeEngine } from "./native/native-engine.ts";
import { openModule, type LoadedModule } from "./native/native-module.ts";
import {
  findApplicationsPackage,
  findPackage,
  OUR_NAME,
  PACKAGE,
  type NativeCandidate,
  type NativePackage,
} from "./native/native-package.ts";
import { currentPlatform, replacementFor, type Platform } from "./native/platform.ts";
import { lineOf, refusalOf, refusedEngine } from "./native/refusal.ts";
import { checkCalls } from "./native/required-calls.ts";
import type { NativeModule } from "./native/uws-types.ts";
import type { Engine } from "./engine-port.ts";

/** Environment variable that a native engine reads only when it is first loaded into the process. */
const HEADERS_VARIABLE = "UWS_HTTP_MAX_HEADERS_SIZE";

/** What main has loaded, for other threads. */
export type EngineChoice =
  | {
      readonly kind: "native";
      readonly package: NativeCandidate;
      /** The relabelled copy of its binary, if it needed one. */
      readonly copyFile: string | undefined;
    }
  | { readonly kind: "portable" };

/** What a server asks for. */
export interface EngineRequest {
  /** The option `engine`. */
  readonly engine: string;
  /** Paths or URLs from which the application looks for packages, in order. */
  readonly from: readonly (string | URL)[];
  readonly maxHeaderBytes: number;
}

/** An engine that was tried first, why it is not used, and what to do. */
export interface PassedOver {
  readonly engine: string;
  readonly reason: string;
  readonly advice: string;
}

/** The engine of a server. */
export interface ChosenEngine {
  readonly engine: Engine;
  readonly choice: EngineChoice;
  /** The engines that would have been preferred. */
  readonly passedOver: readonly PassedOver[];
}

interface Loaded extends LoadedModule {
  readonly maxHeaderBytes: number | undefined;
}

/** The native modules of this thread, by file. */
const modules = new Map<string, Loaded>();

/**
 * Chooses the engine of a server. Called on main.
 *
 * @throws SIM_ERR_ENGINE_UNAVAILABLE if none of those asked for can be used
 * @throws SIM_ERR_OPTION_INVALID if `maxHeaderBytes` is set too late to take effect
 */
export async function chooseEngine(request: EngineRequest): Promise<ChosenEngine> {
  const passedOver: PassedOver[] = [];
  const errors: Error[] = [];
  for (const candidate of candidatesFor(request)) {
    try {
      return { ...(await open(candidate, request)), passedOver };
    } catch (error) {
      const refusal = refusalOf(error);
      if (!refusal) throw error;
      errors.push(error as Error);
      const { problem: reason, advice } = refusal;
      passedOver.push({ engine: candidate.title, reason, advice });
    }
  }
  if (errors.length === 1) throw errors[0];
  const reasons = errors.map(({ message }) => message);
  throw makeError("SIM_ERR_ENGINE_UNAVAILABLE", reasons.join("; "), {
    cause: new AggregateError(errors),
  });
}

/** Loads the engine that main has chosen. */
export async function loadEngine(choice: EngineChoice): Promise<Engine> {
  if (choice.kind === "portable") return openPortable();
  const { module } = load(choice.package, choice.copyFile, undefined);
  return engineOf(module, choice.package);
}

/** Returns the platform that native engines are chosen by. */
export function platformOfProcess(): Platform {
  return currentPlatform();
}

/** Returns the module of the native engine that comes with Simurgh. The first call on a thread loads it. */
export function nativeModule(maxHeaderBytes?: number): NativeModule {
  return load(ownPackage(), undefined, maxHeaderBytes).module;
}

/** An engine that a server may use. */
type Candidate =
  | { readonly kind: "portable"; readonly title: string }
  | { readonly kind: "native"; readonly title: string; readonly package: NativeCandidate }
  /** A package of which it is not clear what to load. */
  | {
      readonly kind: "broken";
      readonly title: string;
      readonly remedy: string;
      readonly cause: Error;
    };

type Opened = Pick<ChosenEngine, "engine" | "choice">;

/** Returns the engines that are asked for, in order of preference. */
function candidatesFor({ engine, from }: EngineRequest): Candidate[] {
  const portable = { kind: "portable", title: "portable" } as const;
  if (engine === "portable") return [portable];
  if (engine !== "auto" && engine !== "native") return [namedCandidate(engine, from)];
  const own = ownPackage();
  const candidates: Candidate[] = [{ kind: "native", title: own.title, package: own }];
  const applications = findApplicationsPackage(from);
  if (applications) {
    const remedy = replacementFor(currentPlatform());
    candidates.unshift(candidateOf(applications, [PACKAGE, "of the app"], remedy));
  }
  if (engine === "auto") candidates.push(portable);
  return candidates;
}

function candidateOf(
  found: NativePackage | Error,
  [name, whose = ""]: readonly [name: string, whose?: string],
  remedy: string,
): Candidate {
  const version = found instanceof Error ? "" : found.version;
  const title = [name, version, whose].filter((word) => word !== "").join(" ");
  if (found instanceof Error) return { kind: "broken", title, remedy, cause: found };
  return { kind: "native", title, package: { ...found, title, remedy } };
}

async function open(candidate: Candidate, { maxHeaderBytes }: EngineRequest): Promise<Opened> {
  if (candidate.kind === "portable") {
    return { engine: await openPortable(), choice: { kind: "portable" } };
  }
  if (candidate.kind === "broken") {
    const { title, remedy: advice, cause } = candidate;
    throw refusedEngine(title, { problem: `is broken (${lineOf(cause)})`, advice }, { cause });
  }
  const found = candidate.package;
  const { module, copyFile } = load(found, undefined, maxHeaderBytes);
  checkCalls(module, found);
  const choice = { kind: "native", package: found, copyFile } as const;
  return { engine: engineOf(module, found), choice };
}

function engineOf(module: NativeModule, { name, version }: NativePackage): Engine {
  return new NativeEngine(module, name === OUR_NAME ? PACKAGE : name, version);
}

async function openPortable(): Promise<Engine> {
  const { PortableEngine } = await import("./portable/portable-engine.ts");
  return new PortableEngine();
}

/** Returns the package that comes with Simurgh. If it is not installed, loading it fails. */
function ownPackage(): NativeCandidate {
  const missing = { file: PACKAGE, folder: PACKAGE, name: PACKAGE, version: "" };
  const found = findPackage(PACKAGE, [import.meta.url]);
  const own = found && !(found instanceof Error) ? found : missing;
  return { ...own, title: `${PACKAGE} ${own.version}`.trimEnd(), remedy: "npm ci" };
}

function namedCandidate(name: string, from: readonly (string | URL)[]): Candidate {
  const found = findPackage(name, [...from, pathToFileURL(join(process.cwd(), "/"))]);
  if (found) {
    const remedy = "correct it, or set engine (SIMURGH_ENGINE) to auto";
    return candidateOf(found, [name], remedy);
  }
  throw makeError(
    "SIM_ERR_ENGINE_UNAVAILABLE",
    `engine (SIMURGH_ENGINE) must be auto, native, portable, or a package or file that can be found from the app, got ${JSON.stringify(name)}`,
  );
}

function load(
  found: NativeCandidate,
  knownCopy: string | undefined,
  maxHeaderBytes: number | undefined,
): LoadedModule {
  const loaded = modules.get(found.file);
  if (loaded) {
    checkHeaderLimit(loaded.maxHeaderBytes, maxHeaderBytes);
    return loaded;
  }
  const require = createRequire(import.meta.url);
  const site = {
    title: found.title,
    remedy: found.remedy,
    file: found.file,
    packageFolder: found.folder,
    temporaryFolder: tmpdir(),
    platform: currentPlatform(),
    knownCopy,
    load: (file: string): unknown => require(file),
  };
  const opened = withMaxHeaderBytes(maxHeaderBytes, () => openModule(site));
  modules.set(found.file, { ...opened, maxHeaderBytes });
  return opened;
}

function checkHeaderLimit(loaded: number | undefined, wanted: number | undefined): void {
  if (wanted === undefined || loaded === wanted) return;
  throw makeError(
    "SIM_ERR_OPTION_INVALID",
    `maxHeaderBytes must be that of the process's first server (${loaded ?? "unset"}), got ${wanted}`,
  );
}

/** Sets the engine's variable while it loads, and restores the environment. */
function withMaxHeaderBytes<Result>(bytes: number | undefined, work: () => Result): Result {
  if (bytes === undefined) return work();
  const before = process.env[HEADERS_VARIABLE];
  process.env[HEADERS_VARIABLE] = String(bytes);
  try {
    return work();
  } finally {
    if (before === undefined) delete process.env[HEADERS_VARIABLE];
    else process.env[HEADERS_VARIABLE] = before;
  }
}
