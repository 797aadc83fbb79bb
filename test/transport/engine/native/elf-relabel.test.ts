import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";

import { relabelElf } from "../../../../src/transport/engine/native/elf-relabel.ts";
import { readSymbols } from "../../../support/elf.ts";
import type { ElfSymbol } from "../../../support/elf.ts";

const FOLDER = dirname(createRequire(import.meta.url).resolve("uWebSockets.js"));
const BINARIES = [
  { file: "uws_linux_x64_115.node", base: "GLIBC_2.2.5", renamed: ["sscanf", "strtol", "strtoul"] },
  { file: "uws_linux_x64_141.node", base: "GLIBC_2.2.5", renamed: ["sscanf", "strtol", "strtoul"] },
  { file: "uws_linux_arm64_115.node", base: "GLIBC_2.17", renamed: ["strtol", "strtoul"] },
  { file: "uws_linux_arm64_141.node", base: "GLIBC_2.17", renamed: ["strtol", "strtoul"] },
];
const SOURCE = readFileSync(join(FOLDER, "uws_linux_x64_115.node"));

const nameOf = ({ name, version }: ElfSymbol): string => `${name}@${version}`;

/** Returns the source with some bytes changed, from an offset on. */
function withBytes(offset: number, ...values: number[]): Uint8Array {
  const bytes = Uint8Array.from(SOURCE);
  bytes.set(values, offset);
  return bytes;
}

function refused(bytes: Uint8Array, got: RegExp): void {
  assert.throws(
    () => relabelElf(bytes),
    (error: unknown) => {
      assert.ok(error instanceof Error && "code" in error);
      assert.equal(error.code, "SIM_ERR_ENGINE_UNAVAILABLE");
      assert.match(error.message, got);
      return true;
    },
  );
}

describe("relabelElf", () => {
  for (const { file, base, renamed } of BINARIES) {
    it(`requires the old names in ${file}, and everything else as before`, () => {
      const source = readFileSync(join(FOLDER, file));
      const before = readSymbols(source);
      const after = readSymbols(relabelElf(source));
      const changed = before.symbols.flatMap((symbol, index) => {
        const now = after.symbols[index];
        assert.ok(now !== undefined);
        return nameOf(symbol) === nameOf(now) ? [] : [`${nameOf(symbol)} -> ${nameOf(now)}`];
      });

      assert.deepEqual(
        changed.toSorted(),
        renamed.map((name) => `__isoc23_${name}@GLIBC_2.38 -> ${name}@${base}`),
      );
      assert.deepEqual(after.weakVersions, ["libc.so.6 GLIBC_2.38"]);
      assert.deepEqual(before.weakVersions, []);
    });
  }

  it("does not change its source, and is idempotent", () => {
    const source = Uint8Array.from(SOURCE);
    const once = relabelElf(source);

    assert.ok(SOURCE.equals(source));
    assert.ok(Buffer.from(once).equals(relabelElf(once)));
  });

  it("refuses anything but a shared object for 64-bit Linux", () => {
    refused(new Uint8Array(0), /hold 58 bytes at 0, got a file of 0 bytes/);
    refused(new TextEncoder().encode("x".repeat(100)), /be an ELF file/);
    refused(withBytes(4, 1), /be of 64 bits/);
    refused(withBytes(5, 2), /be little-endian/);
    refused(withBytes(16, 2), /be a shared object, got type 2/);
    refused(withBytes(18, 243), /be for x64 or arm64, got machine 243/);
  });

  it("refuses a file truncated anywhere in what the loader maps", () => {
    const { mappedBytes: end, neededOffset } = readSymbols(SOURCE);
    for (const length of [1, 57, 58, 64, 600, 4096, neededOffset + 8, end >> 1, end - 1]) {
      refused(SOURCE.subarray(0, length), /must hold \d+ bytes at \d+, got a file of/);
    }
  });

  it("refuses a symbol of 2.38 that has no older name", () => {
    const at = SOURCE.indexOf("__isoc23_strtol\0");
    refused(withBytes(at + 14, "X".charCodeAt(0)), /got __isoc23_strtoX/);
  });

  it("refuses a binary that does not require 2.38, or has no base version", () => {
    const { stringsOffset } = readSymbols(SOURCE);
    const missing = SOURCE.indexOf("GLIBC_2.38\0", stringsOffset);
    refused(withBytes(missing + 9, "7".charCodeAt(0)), /require GLIBC_2.38, got one that does not/);
    const base = SOURCE.indexOf("GLIBC_2.2.5\0", stringsOffset);
    refused(withBytes(base + 10, "6".charCodeAt(0)), /require GLIBC_2.2.5, got one that does not/);
  });

  it("refuses tables that point outside the file or never end", () => {
    const { hashOffset, neededOffset, dynamicOffset, dynamicBytes } = readSymbols(SOURCE);
    refused(withBytes(hashOffset + 4, 255, 255, 255, 127), /must/);
    refused(withBytes(neededOffset + 8, 255, 255, 255, 255), /must hold/);
    refused(withBytes(neededOffset + 12, 255, 255, 255, 255), /must hold/);
    refused(withBytes(32, 0, 0, 0, 0, 0, 0, 0, 255), /within 2\^53/);
    const endless = Uint8Array.from(SOURCE);
    for (let at = 0; at < dynamicBytes; at += 16) endless[dynamicOffset + at] = 1;
    refused(endless, /end its dynamic table/);
  });

  it("returns a copy of randomly changed bytes or refuses them, nothing else", () => {
    const { hashOffset, neededOffset, dynamicOffset } = readSymbols(SOURCE);
    const bytes = Uint8Array.from(SOURCE);
    let refusals = 0;
    let random = 0x2545_f491;
    const next = (below: number): number => {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
      return (random >>> 8) % below;
    };
    for (let round = 0; round < 300; round += 1) {
      const start = [0, 64, hashOffset, neededOffset, dynamicOffset][round % 5] as number;
      const at = start + next(round % 5 === 1 ? 560 : 64);
      const before = bytes[at] as number;
      bytes[at] = next(256);
      try {
        assert.equal(relabelElf(bytes).length, bytes.length);
      } catch (error) {
        assert.ok(error instanceof Error && "code" in error, String(error));
        assert.equal(error.code, "SIM_ERR_ENGINE_UNAVAILABLE");
        refusals += 1;
      }
      bytes[at] = before;
    }
    assert.ok(refusals > 30, `${refusals} refusals`);
  });
});
