/**
 * What the engine runs on, and what this machine is, for the error that compares them.
 *
 * Runs on: the thread on which the engine did not load.
 */

import { readdirSync } from "node:fs";

/** Node.js versions by the number of their binary interface, of those that the engine is built for. */
const NODE_VERSIONS: ReadonlyMap<string, string> = new Map([
  ["115", "20"],
  ["127", "22"],
  ["137", "24"],
  ["141", "25"],
]);
const BINARY = /^uws_(?<platform>\w+?)_(?<processor>\w+)_(?<modules>\d+)\.node$/;
/** The oldest C library that has all a relabelled binary asks for: `arc4random` came with it. */
const OLDEST_GLIBC = "2.36";
const NO_GLIBC = "none";

/** What this process runs on, in the words of the engine's file names. */
export interface Platform {
  readonly platform: string;
  readonly processor: string;
  /** Number of Node.js' binary interface. */
  readonly modules: string;
  readonly nodeVersion: string;
  /** Gives glibc's version, or undefined where the C library is another one. Takes a while. */
  readonly glibcVersion: () => string | undefined;
}

/** Gives what this process runs on. */
export function currentPlatform(): Platform {
  return {
    platform: process.platform,
    processor: process.arch,
    modules: process.versions.modules,
    nodeVersion: process.version,
    glibcVersion,
  };
}

/** Gives the name of the binary for a platform, as the engine's package names it. */
export function binaryName({ platform, processor, modules }: Platform): string {
  return `uws_${platform}_${processor}_${modules}.node`;
}

/** Gives the message of the error for an engine that did not load. */
export function unavailableMessage(packageFolder: string, here: Platform): string {
  const supported = supportedPlatforms(packageFolder);
  const library = here.platform === "linux" ? (here.glibcVersion() ?? NO_GLIBC) : undefined;
  const got = `${here.platform} ${here.processor}, Node.js ${here.nodeVersion}${described(library)}`;
  if (supported.length === 0) {
    return `the engine must be installed as "uWebSockets.js", got no binary in ${packageFolder}; run npm ci`;
  }
  return `the engine must run on one of ${supported.join("; ")}; got ${got}; ${adviceFor(here, library, supported)}`;
}

/** Gives, for each system and processor, the Node.js versions that there are binaries for. */
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
  return "see the cause for what the loader said";
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
