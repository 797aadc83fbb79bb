/**
 * Changes an engine binary that requires glibc 2.38 so that it loads with an older glibc.
 *
 * Runs on: any thread. Bytes in, bytes out: no compiler, no file, no engine.
 *
 * The binary requires 2.38 only for a few symbols such as `__isoc23_strtol`: the C23 forms of functions
 * as old as C itself, which accept one more number prefix (0b). So each of these symbols is replaced by
 * its old name and version:
 *
 *   .dynsym         st_name   "__isoc23_strtol"  ->  "strtol", the tail of the same string
 *   .gnu.version    index     GLIBC_2.38         ->  the base version of the same library
 *   .gnu.version_r  vna_flags GLIBC_2.38         ->  weak: the loader continues without it
 *
 * A binary that requires anything else from 2.38 is refused, because there is no older name for it.
 */

import { ElfImage, refuse } from "./elf-image.ts";
import type { Machine } from "./elf-image.ts";

const TAG_STRINGS = 5;
const TAG_SYMBOLS = 6;
const TAG_STRINGS_BYTES = 10;
const TAG_GNU_HASH = 0x6fff_fef5;
const TAG_VERSIONS = 0x6fff_fff0;
const TAG_NEEDED_VERSIONS = 0x6fff_fffe;
const TAG_NEEDED_COUNT = 0x6fff_ffff;

const SYMBOL_BYTES = 24;
const SYMBOL_SECTION_OFFSET = 6;
const SECTION_UNDEFINED = 0;
const VERSION_BYTES = 2;
/** Mask of a version's index. The bit above it hides the symbol. */
const VERSION_INDEX_MASK = 0x7fff;
const FLAG_WEAK = 2;

const PREFIX = "__isoc23_";
const RENAMED: ReadonlySet<string> = new Set(["strtol", "strtoul", "sscanf"]);
/** The glibc version that an older system does not have. */
export const MISSING_VERSION = "GLIBC_2.38";
const BASE_VERSIONS: Record<Machine, string> = { x64: "GLIBC_2.2.5", arm64: "GLIBC_2.17" };

interface Tables {
  readonly strings: number;
  readonly stringsEnd: number;
  readonly symbols: number;
  readonly versions: number;
  readonly neededVersions: number;
  readonly neededCount: number;
  /** The number of symbols before the first exported one. All imported symbols are among them. */
  readonly unexportedCount: number;
}

/** A version that the binary requires of a library. */
interface NeededVersion {
  readonly flagsOffset: number;
  readonly index: number;
  readonly name: string;
}

/**
 * Returns a copy of an engine binary that loads with glibc 2.36 and later.
 *
 * @param source - a shared object for Linux on x64 or arm64; not changed
 * @throws SIM_ERR_ENGINE_UNAVAILABLE if it is not such an object, or requires anything else from
 *   glibc 2.38
 */
export function relabelElf(source: Uint8Array): Uint8Array {
  const bytes = source.slice();
  const image = new ElfImage(bytes);
  const tables = findTables(image);
  const needed = findLibraryOf(image, tables, MISSING_VERSION);
  const missing = versionNamed(needed, MISSING_VERSION);
  const base = versionNamed(needed, BASE_VERSIONS[image.machine]);

  for (let symbol = 1; symbol < tables.unexportedCount; symbol += 1) {
    const versionOffset = tables.versions + symbol * VERSION_BYTES;
    if ((image.readWord16(versionOffset) & VERSION_INDEX_MASK) !== missing.index) continue;
    renameSymbol(image, tables, tables.symbols + symbol * SYMBOL_BYTES);
    image.writeWord16(versionOffset, base.index);
  }
  image.writeWord16(missing.flagsOffset, image.readWord16(missing.flagsOffset) | FLAG_WEAK);
  return bytes;
}

function findTables(image: ElfImage): Tables {
  const dynamic = image.readDynamicTable();
  const value = (tag: number): number =>
    dynamic.get(tag) ?? refuse("be linked with versions", `no dynamic tag 0x${tag.toString(16)}`);
  const strings = image.offsetOf(value(TAG_STRINGS));
  return {
    strings,
    stringsEnd: strings + value(TAG_STRINGS_BYTES),
    symbols: image.offsetOf(value(TAG_SYMBOLS)),
    versions: image.offsetOf(value(TAG_VERSIONS)),
    neededVersions: image.offsetOf(value(TAG_NEEDED_VERSIONS)),
    neededCount: value(TAG_NEEDED_COUNT),
    // The second word of the hash table is the index of the first exported symbol.
    unexportedCount: image.readWord32(image.offsetOf(value(TAG_GNU_HASH)) + 4),
  };
}

/** Moves a symbol's name past its prefix, to the older name. */
function renameSymbol(image: ElfImage, tables: Tables, symbolOffset: number): void {
  const nameOffset = image.readWord32(symbolOffset);
  const name = image.readString(tables.strings + nameOffset, tables.stringsEnd);
  if (!name.startsWith(PREFIX) || !RENAMED.has(name.slice(PREFIX.length))) {
    refuse(`need only C23 number parsing from ${MISSING_VERSION}`, name);
  }
  const section = image.readWord16(symbolOffset + SYMBOL_SECTION_OFFSET);
  if (section !== SECTION_UNDEFINED) refuse(`import ${name}`, "a definition of it");
  image.writeWord32(symbolOffset, nameOffset + PREFIX.length);
}

/** Returns every version that the binary requires from the library that must provide `version`. */
function findLibraryOf(image: ElfImage, tables: Tables, version: string): NeededVersion[] {
  let at = tables.neededVersions;
  for (let library = 0; library < tables.neededCount; library += 1) {
    const needed = readLibrary(image, tables, at);
    if (needed.some(({ name }) => name === version)) return needed;
    const nextBytes = image.readWord32(at + 12);
    if (nextBytes === 0) break;
    at += nextBytes;
  }
  return refuse(`require ${version}`, "one that does not");
}

function readLibrary(image: ElfImage, tables: Tables, libraryOffset: number): NeededVersion[] {
  const count = image.readWord16(libraryOffset + 2);
  const needed: NeededVersion[] = [];
  let at = libraryOffset + image.readWord32(libraryOffset + 8);
  for (let version = 0; version < count; version += 1) {
    needed.push({
      flagsOffset: at + 4,
      index: image.readWord16(at + 6) & VERSION_INDEX_MASK,
      name: image.readString(tables.strings + image.readWord32(at + 8), tables.stringsEnd),
    });
    const nextBytes = image.readWord32(at + 12);
    if (nextBytes === 0) break;
    at += nextBytes;
  }
  return needed;
}

function versionNamed(needed: readonly NeededVersion[], name: string): NeededVersion {
  return (
    needed.find((version) => version.name === name) ??
    refuse(`require ${name}`, "one that does not")
  );
}
