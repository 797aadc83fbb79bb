/**
 * Reads the symbols of a shared object by its section headers.
 *
 * Runs on: the test's thread. The code under test finds the same tables in another way.
 */

const SECTION_BYTES = 64;
const SECTION_DYNAMIC = 6;
const SECTION_SYMBOLS = 11;
const SECTION_GNU_HASH = 0x6fff_fff6;
const SECTION_NEEDED = 0x6fff_fffe;
const SECTION_VERSIONS = 0x6fff_ffff;
const SECTION_ALLOCATED = 2;
const SECTION_NO_BYTES = 8;

/** A symbol's name, and the version that it requires. */
export interface ElfSymbol {
  readonly name: string;
  readonly version: string;
}

/** The symbols of a shared object. */
export interface ElfSymbols {
  readonly symbols: readonly ElfSymbol[];
  /** Library and version of each weakly required version. */
  readonly weakVersions: readonly string[];
  readonly stringsOffset: number;
  readonly hashOffset: number;
  readonly neededOffset: number;
  readonly dynamicOffset: number;
  readonly dynamicBytes: number;
  /** Bytes from the start of the file to the end of the part that the loader maps. */
  readonly mappedBytes: number;
}

interface Section {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
  readonly link: number;
}

function readSections(file: Buffer): Section[] {
  const start = Number(file.readBigUInt64LE(40));
  return Array.from({ length: file.readUInt16LE(60) }, (_, index) => {
    const at = start + index * SECTION_BYTES;
    return {
      type: file.readUInt32LE(at + 4),
      flags: Number(file.readBigUInt64LE(at + 8)),
      offset: Number(file.readBigUInt64LE(at + 24)),
      length: Number(file.readBigUInt64LE(at + 32)),
      link: file.readUInt32LE(at + 40),
    };
  });
}

/** Reads the dynamic symbols of a shared object for 64-bit Linux. */
export function readSymbols(bytes: Uint8Array): ElfSymbols {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sections = readSections(file);
  const sectionOf = (type: number): Section => {
    const section = sections.find((candidate) => candidate.type === type);
    if (section === undefined) throw new Error(`no section of type ${type}`);
    return section;
  };
  const symbols = sectionOf(SECTION_SYMBOLS);
  const versions = sectionOf(SECTION_VERSIONS);
  const needed = sectionOf(SECTION_NEEDED);
  const dynamic = sectionOf(SECTION_DYNAMIC);
  const stringsOffset = sections[symbols.link]?.offset ?? 0;
  const textAt = (offset: number): string =>
    file.toString("latin1", stringsOffset + offset, file.indexOf(0, stringsOffset + offset));

  const names = new Map<number, string>();
  const weakVersions: string[] = [];
  for (let library = needed.offset; ; library += file.readUInt32LE(library + 12)) {
    const count = file.readUInt16LE(library + 2);
    let at = library + file.readUInt32LE(library + 8);
    for (let version = 0; version < count; version += 1) {
      const name = textAt(file.readUInt32LE(at + 8));
      names.set(file.readUInt16LE(at + 6), name);
      if ((file.readUInt16LE(at + 4) & 2) !== 0) {
        weakVersions.push(`${textAt(file.readUInt32LE(library + 4))} ${name}`);
      }
      at += file.readUInt32LE(at + 12);
    }
    if (file.readUInt32LE(library + 12) === 0) break;
  }

  const mapped = sections.filter(
    ({ type, flags }) => (flags & SECTION_ALLOCATED) !== 0 && type !== SECTION_NO_BYTES,
  );
  return {
    symbols: Array.from({ length: symbols.length / 24 }, (_, index) => ({
      name: textAt(file.readUInt32LE(symbols.offset + index * 24)),
      version: names.get(file.readUInt16LE(versions.offset + index * 2) & 0x7fff) ?? "",
    })),
    weakVersions,
    stringsOffset,
    hashOffset: sectionOf(SECTION_GNU_HASH).offset,
    neededOffset: needed.offset,
    dynamicOffset: dynamic.offset,
    dynamicBytes: dynamic.length,
    mappedBytes: Math.max(...mapped.map(({ offset, length }) => offset + length)),
  };
}
