/**
 * An installed package with uWebSockets.js' API: where it is, its name and version.
 *
 * The package that comes with Simurgh is an alias: it is installed as `uWebSockets.js`, and so may be what an application
 * finds by that name. The name in its `package.json` tells it from one that the application has installed itself.
 *
 * Runs on: main.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, isAbsolute, join } from "node:path";

import { codeOf } from "../../../errors.ts";

/** The name by which the package is installed, and by which people know it. */
export const PACKAGE = "uWebSockets.js";
/** The name of the package that comes with Simurgh, in its own `package.json`. */
export const OUR_NAME = "@btc-vision/uwebsockets.js";

/** An installed package. */
export interface NativePackage {
  /** The file that `require` loads. */
  readonly file: string;
  /** The folder with its `package.json` and its binaries. */
  readonly folder: string;
  /** The name in its `package.json`; the file's name if it has none. */
  readonly name: string;
  /** The version in its `package.json`; empty if it has none. */
  readonly version: string;
}

/** A package that a server may use. */
export interface NativeCandidate extends NativePackage {
  /** What people call it. */
  readonly title: string;
  /** What to do if it is broken. */
  readonly remedy: string;
}

/**
 * Finds a package or file.
 *
 * @param from - paths of the files and folders (with a final slash) that look for it, in order
 * @returns undefined if there is none; an error if there is one of which it is not clear what to load
 */
export function findPackage(
  nameOrPath: string,
  from: readonly (string | URL)[],
): NativePackage | Error | undefined {
  for (const place of from) {
    const file = resolveFrom(place, nameOrPath);
    if (file instanceof Error) return file;
    if (file !== undefined) return isPath(nameOrPath) ? packageAt(file) : packageOf(file);
  }
  return undefined;
}

/** Finds the package that an application has installed itself. */
export function findApplicationsPackage(
  from: readonly (string | URL)[],
): NativePackage | Error | undefined {
  for (const place of from) {
    const found = findPackage(PACKAGE, [place]);
    if (found && found.name !== OUR_NAME) return found;
  }
  return undefined;
}

function resolveFrom(place: string | URL, nameOrPath: string): string | Error | undefined {
  try {
    return createRequire(place).resolve(nameOrPath);
  } catch (error) {
    return error instanceof Error && isBroken(error) ? error : undefined;
  }
}

/** Whether there is such a package, whose `package.json` is invalid or leads nowhere. */
function isBroken(error: Error): boolean {
  return "path" in error || codeOf(error)?.includes("PACKAGE") === true;
}

function isPath(nameOrPath: string): boolean {
  return nameOrPath.startsWith(".") || isAbsolute(nameOrPath);
}

/** Returns what a path has led to: a package, or a file that is only somewhere in one. */
function packageAt(file: string): NativePackage {
  const found = packageOf(file);
  const isIts = resolveFrom(file, found.folder) === file;
  return isIts ? found : { ...found, name: basename(file), version: "" };
}

function packageOf(file: string): NativePackage {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const manifest = tryManifest(folder);
    if (manifest) return { file, folder, ...manifest };
    if (folder === dirname(folder)) break;
  }
  return { file, folder: dirname(file), name: basename(file), version: "" };
}

function tryManifest(folder: string): Pick<NativePackage, "name" | "version"> | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const { name, version = "" } = Object(manifest) as Partial<NativePackage>;
    // A `package.json` within a package may only say which kind its modules are.
    return typeof name === "string" ? { name, version } : undefined;
  } catch {
    return undefined;
  }
}
