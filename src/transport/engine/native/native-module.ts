/**
 * Loads the package uWebSockets.js, from where it is installed or from a relabelled copy of its binary.
 *
 * Runs on: main first, then each shard. No other file loads the package.
 *
 * The package is loaded as it is. If, and only if, this fails because GLIBC_2.38 is missing, a
 * relabelled private copy is created (elf-relabel.ts, cache.ts) and loaded instead.
 */

import { join } from "node:path";

import { messageOf } from "../../../error-report.ts";
import { hasCode } from "../../../errors.ts";
import { relabelledCopy } from "./cache.ts";
import { MISSING_VERSION } from "./elf-relabel.ts";
import { binaryName, diagnose, type DiagnosedSite } from "./platform.ts";
import { lineOf, refusedEngine, type Refusal } from "./refusal.ts";
import type { NativeModule } from "./uws-types.ts";

/** The source from which the package is loaded; tests pass their own. */
export interface NativeSite extends DiagnosedSite {
  /** What people call the package. */
  readonly title: string;
  /** The file of the package. */
  readonly file: string;
  readonly temporaryFolder: string;
  /** The relabelled copy created by the first thread that loaded it, if a copy was needed. */
  readonly knownCopy: string | undefined;
  /** Loads a file, as `require` does. */
  readonly load: (file: string) => unknown;
}

/** A loaded package, and the private copy that it was loaded from, if any. */
export interface LoadedModule {
  readonly module: NativeModule;
  readonly copyFile: string | undefined;
}

/**
 * Loads the package from a site: the package itself, or a relabelled copy of it. Does not check what it has loaded.
 *
 * @throws SIM_ERR_ENGINE_UNAVAILABLE if it cannot be loaded
 */
export function openModule(site: NativeSite): LoadedModule {
  const known = loadKnownCopy(site);
  if (known !== undefined) return known;
  try {
    return { module: site.load(site.file) as NativeModule, copyFile: undefined };
  } catch (error) {
    if (!messageOf(error).includes(MISSING_VERSION)) {
      throw refused(site, diagnose(site, error), error);
    }
  }
  const copyFile = makeCopy(site);
  try {
    return { module: site.load(copyFile) as NativeModule, copyFile };
  } catch (error) {
    const refusal = {
      problem: `could not be loaded from its copy (${lineOf(error)})`,
      advice: `if its folder is mounted with noexec, set TMPDIR to another one, or start the server once while ${site.packageFolder} is writable`,
    };
    throw refused(site, refusal, error);
  }
}

/** Makes a relabelled copy of the binary. */
function makeCopy(site: NativeSite): string {
  const folders = { package: site.packageFolder, temporary: site.temporaryFolder };
  try {
    return relabelledCopy(join(site.packageFolder, binaryName(site.platform)), folders);
  } catch (error) {
    const refusal = hasCode(error, "SIM_ERR_ENGINE_UNAVAILABLE")
      ? {
          problem: "needs a copy of its binary with glibc before 2.38",
          advice: (error as Error).message,
        }
      : diagnose(site, error);
    throw refused(site, refusal, error);
  }
}

/** Loads the known copy. Returns undefined if there is none, or if it was deleted. */
function loadKnownCopy({ knownCopy, load }: NativeSite): LoadedModule | undefined {
  if (knownCopy === undefined) return undefined;
  try {
    return { module: load(knownCopy) as NativeModule, copyFile: knownCopy };
  } catch {
    // Temporary files may be deleted while a long-lived process runs. The copy is then created
    // again.
    return undefined;
  }
}

function refused({ title }: NativeSite, refusal: Refusal, cause: unknown): Error {
  return refusedEngine(title, refusal, { cause });
}
