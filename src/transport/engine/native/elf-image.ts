/**
 * A bounds-checked view of a shared object for 64-bit Linux.
 *
 * Runs on: any thread. Reads bytes only: no file, no engine.
 *
 * Everything is found through the program headers and the dynamic table, as the system's loader does;
 * section headers may be missing or wrong. Each access is checked, so truncated or malicious input
 * causes an error, never a read out of bounds.
 */

import { makeError } from "../../../errors.ts";

const MAGIC = 0x7f45_4c46;
const CLASS_OFFSET = 4;
const CLASS_64 = 2;
const DATA_OFFSET = 5;
const DATA_LITTLE_ENDIAN = 1;
const TYPE_OFFSET = 16;
const TYPE_SHARED_OBJECT = 3;
const MACHINE_OFFSET = 18;
const SEGMENTS_OFFSET = 32;
const SEGMENT_BYTES_OFFSET = 54;
const SEGMENT_COUNT_OFFSET = 56;
const SEGMENT_BYTES = 56;
const SEGMENT_LOAD = 1;
const SEGMENT_DYNAMIC = 2;
const DYNAMIC_ENTRY_BYTES = 16;
const DYNAMIC_END = 0;

const LATIN1 = new TextDecoder("latin1");

/** Processors that the engine is built for, by their number in an ELF header. */
export type Machine = "x64" | "arm64";
const MACHINES: ReadonlyMap<number, Machine> = new Map([
  [62, "x64"],
  [183, "arm64"],
]);

interface Segment {
  readonly type: number;
  readonly fileOffset: number;
  readonly address: number;
  readonly fileBytes: number;
}

/** Throws the error for a binary that cannot be used. */
export function refuse(must: string, got: string): never {
  throw makeError("SIM_ERR_ENGINE_UNAVAILABLE", `engine binary must ${must}, got ${got}`);
}

/** A shared object's bytes. Writes change the bytes that were passed to the constructor. */
export class ElfImage {
  readonly machine: Machine;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #segments: readonly Segment[];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.machine = this.#readHeader();
    this.#segments = this.#readSegments();
  }

  readWord16(offset: number): number {
    return this.#view.getUint16(this.#within(offset, 2), true);
  }

  readWord32(offset: number): number {
    return this.#view.getUint32(this.#within(offset, 4), true);
  }

  readWord64(offset: number): number {
    const value = this.#view.getBigUint64(this.#within(offset, 8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) refuse("hold offsets within 2^53", `${value}`);
    return Number(value);
  }

  writeWord16(offset: number, value: number): void {
    this.#view.setUint16(this.#within(offset, 2), value, true);
  }

  writeWord32(offset: number, value: number): void {
    this.#view.setUint32(this.#within(offset, 4), value, true);
  }

  /** Returns the ASCII string at an offset, which must end before `endOffset`. */
  readString(offset: number, endOffset: number): string {
    this.#within(offset, 1);
    const end = this.#bytes.indexOf(0, offset);
    if (end === -1 || end >= endOffset)
      refuse("end its strings", `an unterminated one at ${offset}`);
    return LATIN1.decode(this.#bytes.subarray(offset, end));
  }

  /** Returns the file offset that the loader maps to an address. */
  offsetOf(address: number): number {
    const segment = this.#segments.find(
      ({ type, address: start, fileBytes }) =>
        type === SEGMENT_LOAD && address >= start && address < start + fileBytes,
    );
    if (segment === undefined)
      refuse("map its tables", `address 0x${address.toString(16)} unmapped`);
    return this.#within(segment.fileOffset + (address - segment.address), 1);
  }

  /** Returns the values of the dynamic table by tag. If a tag occurs twice, the first one counts. */
  readDynamicTable(): ReadonlyMap<number, number> {
    const segment = this.#segments.find(({ type }) => type === SEGMENT_DYNAMIC);
    if (segment === undefined) refuse("have a dynamic table", "none");
    const values = new Map<number, number>();
    const endOffset = segment.fileOffset + segment.fileBytes;
    for (let at = segment.fileOffset; at < endOffset; at += DYNAMIC_ENTRY_BYTES) {
      const tag = this.readWord64(at);
      if (tag === DYNAMIC_END) return values;
      if (!values.has(tag)) values.set(tag, this.readWord64(at + 8));
    }
    return refuse("end its dynamic table", "one without an end");
  }

  #readHeader(): Machine {
    this.#within(0, SEGMENT_COUNT_OFFSET + 2);
    if (this.#view.getUint32(0) !== MAGIC) refuse("be an ELF file", "another kind of file");
    if (this.#bytes[CLASS_OFFSET] !== CLASS_64) refuse("be of 64 bits", "another class");
    if (this.#bytes[DATA_OFFSET] !== DATA_LITTLE_ENDIAN) refuse("be little-endian", "big-endian");
    const type = this.readWord16(TYPE_OFFSET);
    if (type !== TYPE_SHARED_OBJECT) refuse("be a shared object", `type ${type}`);
    const number = this.readWord16(MACHINE_OFFSET);
    return MACHINES.get(number) ?? refuse("be for x64 or arm64", `machine ${number}`);
  }

  #readSegments(): readonly Segment[] {
    const entryBytes = this.readWord16(SEGMENT_BYTES_OFFSET);
    if (entryBytes !== SEGMENT_BYTES) refuse("have headers of 56 bytes", `${entryBytes}`);
    const count = this.readWord16(SEGMENT_COUNT_OFFSET);
    const start = this.readWord64(SEGMENTS_OFFSET);
    return Array.from({ length: count }, (_, index) => {
      const at = start + index * SEGMENT_BYTES;
      const fileOffset = this.readWord64(at + 8);
      const fileBytes = this.readWord64(at + 32);
      this.#within(fileOffset, fileBytes);
      return {
        type: this.readWord32(at),
        fileOffset,
        address: this.readWord64(at + 16),
        fileBytes,
      };
    });
  }

  /** Checks that a range is within the file, and returns its offset. */
  #within(offset: number, length: number): number {
    if (offset + length > this.#bytes.byteLength) {
      refuse(`hold ${length} bytes at ${offset}`, `a file of ${this.#bytes.byteLength} bytes`);
    }
    return offset;
  }
}
