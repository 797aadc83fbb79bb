/**
 * Compares this machine with the platforms that the native engine runs on, to say why it did not load.
 *
 * Runs on: the thread on which the engine did not load.
 */

import { readdirSync } from "node:fs";

import { messageOf } from "../../../error-report.ts";
import { lineOf, type Refusal } from "./refusal.ts";

/** The Node.js versions that engines are built for, by ABI number. */
const NODE_VERSIONS: ReadonlyMap<string, string> = new Map([
  ["115", "20"],
  ["127", "22"],
  ["137", "24"],
  ["141", "25"],
  ["147", "26"],
]);
/** Installs the package of the engine's authors. */
const OFFICIAL_COMMAND = "npm install uNetworking/uWebSockets.js#v20.67.0";
/** The Node.js versions that it has binaries for. */
const OFFICIAL_VERSIONS: readonly string[] = ["22", "24", "26"];
const BINARY = /^uws_(?<platform>\w+?)_(?<processor>\w+)_(?<modules>\d+)\.node$/;
/** How the error of the package begins, in front of what the system says. */
const OWN_ERROR = /^This version of uWS\.js .*\n\n(?:Error: )?/;
/** What to do, by what the system says. */
const ADVICE: readonly (readonly [said: string, advice: string])[] = [
  [
    "loading addons is disabled",
    "let Node.js load addons (--allow-addons, or without --no-addons)",
  ],
  ["failed to map segment", "mount the folder of the package without noexec"],
];
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

/** Before 20.13, Node.js takes no notice of `excludeNetwork`. */
type Reporter = NodeJS.ProcessReport & { excludeNetwork?: boolean | undefined };

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

/** Returns what replaces a package of the app that does not work. */
export function replacementFor(here: Platform): string {
  return isOfficial(here)
    ? OFFICIAL_COMMAND
    : "npm uninstall uWebSockets.js, and the one that comes with Simurgh is used";
}

/** A package that could not be loaded. */
export interface DiagnosedSite {
  readonly packageFolder: string;
  readonly platform: Platform;
  /** What to do if it is broken. */
  readonly remedy: string;
}

/**
 * Finds out why a package could not be loaded.
 *
 * @param cause - what loading it has thrown
 */
export function diagnose(
  { packageFolder, platform: here, remedy }: DiagnosedSite,
  cause: unknown,
): Refusal {
  const files = readFolder(packageFolder);
  if (files.length === 0) return { problem: "is not installed", advice: remedy };
  const line = lineOf(causeOf(cause));
  const advice = ADVICE.find(([said]) => line.includes(said))?.[1] ?? remedy;
  const unknown = { problem: `could not be loaded (${line})`, advice };
  if (!files.some((name) => BINARY.test(name))) return unknown;
  const library = libraryOf(here);
  const system = `${here.platform} ${here.processor}`;
  if (library === NO_GLIBC) {
    return {
      problem: "needs glibc, and this system has another C library (musl?)",
      advice: "use an image with glibc, such as Debian's in place of Alpine's",
    };
  }
  const versions = supportedVersions(files);
  const local = versions.get(system);
  if (!local) {
    const systems = [...versions].map(([name, list]) => `${name} with Node.js ${list.join(", ")}`);
    return {
      problem: `has no binary for ${system}`,
      advice: `run on one of these, for example in a Linux container: ${systems.join("; ")}`,
    };
  }
  if (!files.includes(binaryName(here))) {
    const command = isOfficial(here) ? `, or: ${OFFICIAL_COMMAND}` : "";
    return {
      problem: `has no binary for Node.js ${here.nodeVersion} on ${system}`,
      advice: `use Node.js ${oneOf(local)}${command}`,
    };
  }
  if (library !== undefined && isOlder(library, OLDEST_GLIBC)) {
    return {
      problem: `needs glibc ${OLDEST_GLIBC}, and this system has ${library}`,
      advice: "use a newer system, such as Debian 12 or Ubuntu 24.04",
    };
  }
  return unknown;
}

/** Returns what was thrown, without what the package puts in front: a list of where it runs, which hides the cause. */
function causeOf(thrown: unknown): string {
  return messageOf(thrown).replace(OWN_ERROR, "");
}

/** Returns, for each system and processor, the Node.js versions with a binary. */
function supportedVersions(files: readonly string[]): Map<string, string[]> {
  const versions = new Map<string, string[]>();
  for (const name of files) {
    const { platform, processor, modules } = BINARY.exec(name)?.groups ?? {};
    if (platform === undefined || processor === undefined || modules === undefined) continue;
    const system = `${platform} ${processor}`;
    const version = NODE_VERSIONS.get(modules) ?? `with modules ${modules}`;
    versions.set(system, [...(versions.get(system) ?? []), version]);
  }
  return versions;
}

function oneOf(versions: readonly string[]): string {
  return versions.length === 1
    ? `${versions[0]}`
    : `${versions.slice(0, -1).join(", ")} or ${versions.at(-1)}`;
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}

function libraryOf({ platform, glibcVersion: version }: Platform): string | undefined {
  return platform === "linux" ? (version() ?? NO_GLIBC) : undefined;
}

/** Reports whether the package of the engine's authors has a binary for this Node.js. */
function isOfficial({ modules }: Platform): boolean {
  return OFFICIAL_VERSIONS.includes(NODE_VERSIONS.get(modules) ?? "");
}

function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, "en", { numeric: true }) < 0;
}

function glibcVersion(): string | undefined {
  const report: unknown = reportWithoutNetwork();
  if (typeof report !== "object" || report === null || !("header" in report)) return undefined;
  const { header } = report;
  if (typeof header !== "object" || header === null) return undefined;
  if (!("glibcVersionRuntime" in header)) return undefined;
  return typeof header.glibcVersionRuntime === "string" ? header.glibcVersionRuntime : undefined;
}

/**
 * Returns a report of this process without its connections. With them, Node.js looks up the names of their addresses, and
 * blocks the thread until the name servers have answered or 10 s are over.
 */
function reportWithoutNetwork(): unknown {
  const reporter = process.report as Reporter | undefined;
  if (!reporter) return undefined;
  const before = reporter.excludeNetwork;
  reporter.excludeNetwork = true;
  try {
    return reporter.getReport();
  } finally {
    reporter.excludeNetwork = before;
  }
}
