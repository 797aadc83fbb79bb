/**
 * Compares this machine with the platforms that the engine runs on, for the error message.
 *
 * Runs on: the thread on which the engine did not load.
 */

import { readdirSync } from "node:fs";

/** The Node.js versions that the engine is built for, by ABI number. */
const NODE_VERSIONS: ReadonlyMap<string, string> = new Map([
  ["115", "20"],
  ["127", "22"],
  ["137", "24"],
  ["141", "25"],
]);
const BINARY = /^uws_(?<platform>\w+?)_(?<processor>\w+)_(?<modules>\d+)\.node$/;
/**
 * The oldest glibc that has everything a relabelled binary requires; it introduced `arc4random`.
 */
const OLDEST_GLIBC = "2.36";
const NO_GLIBC = "none";

/** The platform of a process, in the terms of the engine's file names. */
export interface Platform {
  readonly platform: string;
  readonly processor: string;
  /** The ABI number of Node.js. */
  readonly modules: string;
  readonly nodeVersion: string;
  /** Returns the version of glibc, or undefined with another C library. Slow. */
  readonly glibcVersion: () => string | undefined;
}

/** Returns the platform of this process. */
export function currentPlatform(): Platform {
  return {
    platform: process.platform,
    processor: process.arch,
    modules: process.versions.modules,
    nodeVersion: process.version,
    glibcVersion,
  };
}

/** Returns the file name of the engine's binary for a platform. */
export function binaryName({ platform, processor, modules }: Platform): string {
  return `uws_${platform}_${processor}_${modules}.node`;
}

/** Returns the error message for an engine that could not be loaded. */
export function unavailableMessage(packageFolder: string, here: Platform): string {
  const supported = supportedPlatforms(packageFolder);
  const library = here.platform === "linux" ? (here.glibcVersion() ?? NO_GLIBC) : undefined;
  const got = `${here.platform} ${here.processor}, Node.js ${here.nodeVersion}${described(library)}`;
  if (supported.length === 0) {
    return `the engine must be installed as "uWebSockets.js", got no binary in ${packageFolder}; run npm ci`;
  }
  return `the engine must run on one of ${supported.join("; ")}; got ${got}; ${adviceFor(here, library, supported)}`;
}

/** Returns, for each system and processor, the Node.js versions with a binary. */
function supportedPlatforms(packageFolder: string): string[] {
  const versions = new Map<string, string[]>();
  for (const name of readFolder(packageFolder)) {
    const { platform, processor, modules } = BINARY.exec(name)?.groups ?? {};
    if (platform === undefined || processor === undefined || modules === undefined) continue;
    const library = platform === "linux" ? ` (glibc ${OLDEST_GLIBC} or later)` : "";
    const system = `${platform} ${processor}${library}`;
    const version = NODE_VERSIONS.get(modules) ?? `with modules ${modules}`;
    versions.set(system, [...(versions.get(system) ?? []), version]);
  }
  return [...versions].map(([system, list]) => `${system} with Node.js ${list.join(", ")}`);
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}

function described(library: string | undefined): string {
  if (library === undefined) return "";
  return library === NO_GLIBC ? ", no glibc (musl?)" : `, glibc ${library}`;
}

function adviceFor(
  here: Platform,
  library: string | undefined,
  supported: readonly string[],
): string {
  if (library === NO_GLIBC) return "use an image with glibc, such as Debian's in place of Alpine's";
  const system = `${here.platform} ${here.processor}`;
  if (!supported.some((line) => line.startsWith(`${system} `))) {
    return "run on one of these systems, for example in a Linux container";
  }
  if (!NODE_VERSIONS.has(here.modules)) return "use one of these Node.js versions";
  if (library !== undefined && isOlder(library, OLDEST_GLIBC)) {
    return "use a newer system, such as Debian 12 or Ubuntu 24.04";
  }
  return "see the cause for the loader's message";
}

function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, "en", { numeric: true }) < 0;
}

function glibcVersion(): string | undefined {
  const report: unknown = process.report?.getReport();
  if (typeof report !== "object" || report === null || !("header" in report)) return undefined;
  const { header } = report;
  if (typeof header !== "object" || header === null) return undefined;
  if (!("glibcVersionRuntime" in header)) return undefined;
  return typeof header.glibcVersionRuntime === "string" ? header.glibcVersionRuntime : undefined;
}
