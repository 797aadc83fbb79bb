/**
 * The packages of the peers, Socket.IO (server and client) and Bun: installs exact versions of them at
 * their first use, and explains why a peer cannot run here.
 *
 * They are not dependencies of this package. Each peer has a folder in `packages` with a
 * `package.json` that names it, and with its `node_modules`. Bun's build for processors without
 * AVX2 has a separate folder, so that only one of the builds is downloaded.
 *
 * Runs on: the bench's process; `requirePeer` in a peer's process.
 */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { currentPlatform } from "../../../src/transport/engine/native/platform.ts";

/** The source folder, relative to `dist/scripts/load/peers`. */
const FOLDER = fileURLToPath(new URL("../../../../scripts/load/peers/packages/", import.meta.url));
const INSTALL_DEADLINE_MS = 300_000;
const VERSION_DEADLINE_MS = 10_000;

/** A package that is loaded into a process of Node.js. */
export type LoadedPackage = "socket.io" | "socket.io-client";
/** A peer that is a package. */
export type PeerPackage = LoadedPackage | "bun";

/** The properties of a machine that decide which build of Bun can run. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  /** Whether the C library is glibc. */
  readonly isGlibc: boolean;
  /** Whether an x64 processor has AVX2. */
  readonly hasAvx2: boolean;
}

/** A package, and the folder in `packages` whose `package.json` names it. */
interface Place {
  readonly folder: string;
  readonly name: string;
}

/** Chooses the build of Bun for a machine. @returns an error message if there is no build for it */
export function chooseBun(machine: Machine): Place | string {
  const { platform, arch, isGlibc, hasAvx2 } = machine;
  if (platform === "linux" && isGlibc) {
    if (arch === "arm64") return { folder: "bun", name: "@oven/bun-linux-aarch64" };
    if (arch === "x64" && hasAvx2) return { folder: "bun", name: "@oven/bun-linux-x64" };
    if (arch === "x64") return { folder: "bun-baseline", name: "@oven/bun-linux-x64-baseline" };
  }
  const library = platform === "linux" && !isGlibc ? " without glibc" : "";
  return `no build of Bun for ${platform} ${arch}${library} is named in scripts/load/peers/packages`;
}

/**
 * Installs a peer, unless the required version is already installed.
 *
 * @returns a line with the reason why the peer cannot be installed or run here, or undefined if it
 *   can
 */
export function preparePeer(peer: PeerPackage, tell: (line: string) => void): string | undefined {
  const place = placeOf(peer);
  if (typeof place === "string") return place;
  if (!isInstalled(place)) {
    tell(`installing ${place.name} into scripts/load/peers/packages/${place.folder} (once)`);
    const trouble = install(place.folder);
    if (trouble !== undefined) return trouble;
    // npm silently skips optional packages that it cannot install.
    if (!isInstalled(place)) return `npm ci did not install ${place.name}`;
  }
  return peer === "bun" ? whyBunDoesNotRun() : undefined;
}

/** Reports whether the required version of a peer is installed. */
export function hasPeer(peer: PeerPackage): boolean {
  const place = placeOf(peer);
  return typeof place !== "string" && isInstalled(place);
}

/**
 * Returns the path of Bun's executable. @throws Error if there is no executable for this machine
 */
export function bunExecutable(): string {
  const place = placeOf("bun");
  if (typeof place === "string") throw new Error(place);
  return join(folderOf(place), "bin/bun");
}

/** Loads a package, which must be installed. */
export function requirePeer(name: LoadedPackage): unknown {
  return createRequire(join(FOLDER, name, "package.json"))(name);
}

function placeOf(peer: PeerPackage): Place | string {
  return peer === "bun" ? chooseBun(thisMachine()) : { folder: peer, name: peer };
}

function folderOf({ folder, name }: Place): string {
  return join(FOLDER, folder, "node_modules", name);
}

function isInstalled(place: Place): boolean {
  const file = join(folderOf(place), "package.json");
  if (!existsSync(file)) return false;
  const { version } = read(file) as { readonly version: string };
  return wantedVersion(place) === version;
}

function wantedVersion({ folder, name }: Place): string | undefined {
  const { dependencies, optionalDependencies } = read(join(FOLDER, folder, "package.json")) as {
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly optionalDependencies?: Readonly<Record<string, string>>;
  };
  return { ...dependencies, ...optionalDependencies }[name];
}

function read(file: string): unknown {
  return JSON.parse(readFileSync(file, "utf8"));
}

/** Runs npm, with its output on our stderr. @returns the reason if npm failed */
function install(folder: string): string | undefined {
  const words = ["ci", "--prefix", join(FOLDER, folder), "--no-audit", "--no-fund"];
  const { status, error } = spawnSync("npm", words, {
    stdio: ["ignore", process.stderr.fd, process.stderr.fd],
    timeout: INSTALL_DEADLINE_MS,
  });
  if (status === 0) return undefined;
  return `npm ${words.join(" ")} failed: ${error?.message ?? `exit code ${status}`}`;
}

function whyBunDoesNotRun(): string | undefined {
  const file = bunExecutable();
  const { status, signal, error } = spawnSync(file, ["--version"], {
    timeout: VERSION_DEADLINE_MS,
    stdio: "ignore",
  });
  if (status === 0) return undefined;
  return `${file} does not run here: ${error?.message ?? signal ?? `exit code ${status}`}`;
}

function thisMachine(): Machine {
  const { platform, processor, glibcVersion } = currentPlatform();
  return {
    platform,
    arch: processor,
    isGlibc: platform === "linux" && glibcVersion() !== undefined,
    hasAvx2: existsSync("/proc/cpuinfo") && /\bavx2\b/.test(readFileSync("/proc/cpuinfo", "utf8")),
  };
}
