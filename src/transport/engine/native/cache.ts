/**
 * The copy of an engine binary, relabelled for this machine's C library.
 *
 * Runs on: main, before any shard starts; a shard, if main's copy has been deleted since.
 * Owns: `.cache` in the engine's folder, or a private folder among the temporary files.
 * Order: a copy is written under a unique name, then renamed. So a file with the final name is
 *        complete, even if several processes write it at once. Files are replaced, never changed or
 *        removed, because another process may have the old one mapped.
 * Full: if neither folder is writable, the error contains both causes.
 *
 * The copy in the engine's folder can be read by all users, as the engine can: in a container image, root often installs
 * and starts the package once, and another user runs it on a file system that is read-only. Only its owner can change
 * it.
 */

import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";

import { codeOf, makeError } from "../../../errors.ts";
import { relabelElf } from "./elf-relabel.ts";

/** Modes of a folder and of the files in it. */
interface Modes {
  readonly folder: number;
  readonly file: number;
}

const READABLE: Modes = { folder: 0o755, file: 0o644 };
const PRIVATE: Modes = { folder: 0o700, file: 0o600 };
const OTHERS_MODE_BITS = 0o077;
/** Number of hex digits of the source's hash in the copy's name. */
const KEY_DIGITS = 32;

/** Folders in which a copy may be kept. */
export interface CacheFolders {
  /** The engine package's folder. Anyone who can write there could replace the engine itself. */
  readonly package: string;
  /** A folder that anyone may write to, used if the package's is read-only. */
  readonly temporary: string;
}

/**
 * Returns the path of the relabelled copy of an engine binary, and writes the copy if necessary.
 *
 * @throws SIM_ERR_ENGINE_UNAVAILABLE if the binary cannot be relabelled, or no folder is writable
 */
export function relabelledCopy(sourceFile: string, folders: CacheFolders): string {
  const source = readFileSync(sourceFile);
  const copy = relabelElf(source);
  const key = createHash("sha256").update(source).digest("hex").slice(0, KEY_DIGITS);
  const name = `${basename(sourceFile, ".node")}-${key}.node`;
  try {
    return keepCopy(join(folders.package, ".cache"), name, copy, READABLE);
  } catch (packageError) {
    try {
      return keepCopy(privateFolder(folders.temporary), name, copy, PRIVATE);
    } catch (temporaryError) {
      const cause = new AggregateError([packageError, temporaryError]);
      throw makeError(
        "SIM_ERR_ENGINE_UNAVAILABLE",
        `a folder for the engine's copy must be writable, got ${String(packageError)} and ${String(temporaryError)}; ` +
          "set TMPDIR to a writable folder, or start the server once while it is writable",
        { cause },
      );
    }
  }
}

function keepCopy(folder: string, name: string, copy: Uint8Array, modes: Modes): string {
  makeFolder(folder, modes.folder);
  const file = join(folder, name);
  if (!holds(file, copy)) replaceFile(file, copy, modes.file);
  return file;
}

/** Not with `recursive`, which reports a read-only file system as a missing folder. */
function makeFolder(folder: string, mode: number): void {
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

function holds(file: string, copy: Uint8Array): boolean {
  try {
    return readFileSync(file).equals(copy);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

function replaceFile(file: string, copy: Uint8Array, mode: number): void {
  const unfinished = `${file}.${randomUUID()}`;
  try {
    const handle = openSync(unfinished, "wx", mode);
    try {
      writeFileSync(handle, copy);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}

/** Returns a folder among the temporary files that only this user can read or write. */
function privateFolder(temporaryFolder: string): string {
  const userId = process.getuid?.() ?? 0;
  const folder = join(temporaryFolder, `simurgh-engine-${userId}`);
  makeFolder(folder, PRIVATE.folder);
  // The name is predictable, so another user may have created it first, or a link in its place.
  const stats = lstatSync(folder);
  if (stats.isDirectory() && stats.uid === userId && (stats.mode & OTHERS_MODE_BITS) === 0) {
    return folder;
  }
  const mode = (stats.mode & 0o7777).toString(8);
  throw makeError(
    "SIM_ERR_ENGINE_UNAVAILABLE",
    `${folder} must be a folder of user ${userId} with mode 700, got owner ${stats.uid} and mode ${mode}`,
  );
}
