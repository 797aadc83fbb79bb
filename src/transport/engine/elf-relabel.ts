/**
 * Makes an engine binary that asks for glibc 2.38 content with an older glibc.
 *
 * Runs on: any thread. Bytes in, bytes out: no compiler, no file, no engine.
 *
 * The binary asks for 2.38 by a few symbols only, `__isoc23_strtol` and its like: the C23
 * forms of functions as old as C itself, which read one more number prefix (0b). So each of
 * them is asked for under its old name and version instead:
 *
 *   .dynsym         st_name   "__isoc23_strtol"  ->  "strtol", the tail of the same string
 *   .gnu.version    index     GLIBC_2.38         ->  the base version of the same library
 *   .gnu.version_r  vna_flags GLIBC_2.38         ->  weak: the loader goes on without it
 *
 * A binary that needs anything else of 2.38 is refused: there is no older name for it.
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
/** Bit of a version's index that hides a symbol; the rest is the index. */
const VERSION_INDEX_MASK = 0x7fff;
const FLAG_WEAK = 2;

const PREFIX = "__isoc23_";
const RENAMED: ReadonlySet<string> = new Set(["strtol", "strtoul", "sscanf"]);
/** The version that asks for more than the C library has. */
export const MISSING_VERSION = "GLIBC_2.38";
const BASE_VERSIONS: Record<Machine, string> = { x64: "GLIBC_2.2.5", arm64: "GLIBC_2.17" };

interface Tables {
  readonly strings: number;
  readonly stringsEnd: number;
  readonly symbols: number;
  readonly versions: number;
  readonly neededVersions: number;
  readonly neededCount: number;
  /** Symbols before the first one that is exported; all that are asked for are among them. */
  readonly unexportedCount: number;
}

/** One version that the binary asks one library for. */
interface NeededVersion {
  readonly flagsOffset: number;
  readonly index: number;
  readonly name: string;
}

/**
 * Gives a copy of an engine binary that loads with glibc 2.36 and later.
 *
 * @param source - a shared object for Linux on x64 or arm64; not changed
 * @throws SIM_ERR_ENGINE_UNAVAILABLE when the bytes are no such object, or it needs more
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
    // Second word of the hash table: it leaves out what is only asked for, and that comes first.
    unexportedCount: image.readWord32(image.offsetOf(value(TAG_GNU_HASH)) + 4),
  };
}

/** Points a symbol's name past its prefix, where the older name stands. */
function renameSymbol(image: ElfImage, tables: Tables, symbolOffset: number): void {
  const nameOffset = image.readWord32(symbolOffset);
  const name = image.readString(tables.strings + nameOffset, tables.stringsEnd);
  if (!name.startsWith(PREFIX) || !RENAMED.has(name.slice(PREFIX.length))) {
    refuse(`need nothing of ${MISSING_VERSION} but C23 number parsing`, name);
  }
  const section = image.readWord16(symbolOffset + SYMBOL_SECTION_OFFSET);
  if (section !== SECTION_UNDEFINED) refuse(`only ask for ${name}`, "a definition of it");
  image.writeWord32(symbolOffset, nameOffset + PREFIX.length);
}

/** Gives all versions asked of the library that a version is asked of. */
function findLibraryOf(image: ElfImage, tables: Tables, version: string): NeededVersion[] {
  let at = tables.neededVersions;
  for (let library = 0; library < tables.neededCount; library += 1) {
    const needed = readLibrary(image, tables, at);
    if (needed.some(({ name }) => name === version)) return needed;
    const nextBytes = image.readWord32(at + 12);
    if (nextBytes === 0) break;
    at += nextBytes;
  }
  return refuse(`ask for ${version}`, "a binary that does not");
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
    needed.find((version) => version.name === name) ?? refuse(`ask for ${name}`, "one without it")
  );
}
