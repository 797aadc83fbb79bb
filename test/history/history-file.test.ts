/**
 * Files of histories, as bytes: what is written, and what is refused.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import {
  FORMAT,
  HistoryFileReader,
  HistoryFileWriter,
  type SavedKey,
  type SavedTopic,
} from "../../src/history/history-file.ts";

type Record = SavedTopic | SavedKey | readonly [offset: number, timeMs: number, text: string];

const TOPIC: SavedTopic = { name: "a", epoch: "k3", head: 1_000_000_000_002, usedMs: 5 };
const KEY: SavedKey = {
  topic: "a",
  key: "é",
  epoch: "k3",
  position: 1_000_000_000_001,
  untilMs: 7,
};
const TINY: readonly Record[] = [TOPIC, [1_000_000_000_001, 6, "hello"], KEY];

/** The tiny file, apart from its hash. */
const TINY_BYTES = Buffer.from(
  [
    "53494d5552474848", // SIMURGHH
    "01000000", // format 1
    "01", // topic
    double(1_000_000_000_002),
    double(5),
    "04000000 6b003300", // k3
    "02000000 6100", // a
    "02", // message
    double(1_000_000_000_001),
    double(6),
    "05000000 68656c6c6f", // hello
    "03", // key
    double(1_000_000_000_001),
    double(7),
    "04000000 6b003300", // k3
    "02000000 6100", // a
    "02000000 e900", // é
  ]
    .join("")
    .replaceAll(" ", ""),
  "hex",
);

function double(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes.toString("hex");
}

/** Adds the hash to the bytes of a file. */
function hashed(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, createHash("sha256").update(bytes).digest()]);
}

describe("A file of histories", () => {
  let directory: string;
  let path: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "simurgh-history-file-"));
    path = join(directory, "file");
  });
  after(() => rmSync(directory, { recursive: true }));

  function written(records: readonly Record[], beforeAccess: () => void = () => {}): Buffer {
    const descriptor = openSync(path, "w");
    try {
      const writer = new HistoryFileWriter(descriptor, beforeAccess);
      for (const record of records) {
        if ("name" in record) writer.topic(record);
        else if ("key" in record) writer.key(record);
        else writer.message(record[0], record[1], Buffer.from(record[2], "latin1"));
      }
      const size = writer.end();
      const bytes = readFileSync(path);
      assert.equal(size, bytes.length);
      return bytes;
    } finally {
      closeSync(descriptor);
    }
  }

  function withReader<Result>(
    bytes: Uint8Array,
    use: (reader: HistoryFileReader) => Result,
    beforeAccess: () => void = () => {},
  ): Result {
    writeFileSync(path, bytes);
    const descriptor = openSync(path, "r");
    try {
      return use(new HistoryFileReader(descriptor, beforeAccess));
    } finally {
      closeSync(descriptor);
    }
  }

  /** Returns why a file is refused. */
  function refusal(bytes: Uint8Array): string | undefined {
    return withReader(bytes, (reader) => reader.check());
  }

  function recordsOf(bytes: Uint8Array): Record[] {
    return withReader(bytes, (reader) => {
      assert.equal(reader.check(), undefined);
      const records: Record[] = [];
      reader.visit({
        onTopic: (topic) => records.push(topic),
        onMessage: (offset, timeMs, message) => {
          records.push([offset, timeMs, Buffer.from(message).toString("latin1")]);
          // The visitor may do so.
          message.fill(0);
        },
        onKey: (key) => records.push(key),
      });
      return records;
    });
  }

  describe("is written", () => {
    it("as drawn", () => {
      assert.equal(written(TINY).toString("hex"), hashed(TINY_BYTES).toString("hex"));
    });

    it("and read", () => {
      assert.deepEqual(recordsOf(hashed(TINY_BYTES)), TINY);
      assert.deepEqual(recordsOf(written([])), []);
    });

    it("with names that are not valid Unicode, and empty ones", () => {
      const names = ["", "\ud800", "\udc00\ud800", "λόγος", "😀"];
      const records = names.map((name) => ({ ...TOPIC, name }));
      assert.deepEqual(recordsOf(written(records)), records);
    });

    it("in pieces that records do not fit", () => {
      const sizes = [0, 1, 262_144, 262_143, 1_000_000, 3, 300_000, 70_000, 262_150];
      const records = sizes.flatMap((size, at): Record[] => [
        { ...TOPIC, name: "n".repeat(size % 70_000), head: at },
        [at, at, String(at % 10).repeat(size)],
        { ...KEY, key: "k".repeat(at) },
      ]);
      assert.deepEqual(recordsOf(written(records)), records);
    });

    it("until its time is up", () => {
      let accesses = 0;
      const giveUp = (): void => {
        accesses += 1;
        if (accesses > 1) throw new Error("time is up");
      };
      const records = Array.from({ length: 3 }, (): Record => [1, 1, "x".repeat(262_144)]);
      assert.throws(() => written(records, giveUp), { message: "time is up" });
      accesses = 0;
      assert.throws(() => withReader(hashed(TINY_BYTES), (reader) => reader.check(), giveUp), {
        message: "time is up",
      });
    });
  });

  describe("is refused", () => {
    it("if it ends at any earlier byte", () => {
      const bytes = hashed(TINY_BYTES);
      assert.equal(refusal(bytes), undefined);
      for (let length = 0; length < bytes.length; length += 1) {
        const why = refusal(bytes.subarray(0, length));
        const reason = length < 12 ? /not a file of histories|format|damaged/ : /damaged/;
        assert.match(why ?? "", reason, `${length} bytes`);
      }
    });

    it("if it goes on", () => {
      assert.match(refusal(Buffer.concat([hashed(TINY_BYTES), Buffer.alloc(1)])) ?? "", /damaged/);
    });

    it("if any bit is another one", () => {
      const bytes = hashed(TINY_BYTES);
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        assert.notEqual(refusal(flipped), undefined, `bit ${bit}`);
      }
    });

    it("if a bit of a long one is another one", () => {
      const bytes = written([TOPIC, [1, 1, "x".repeat(700_000)]]);
      for (let at = 0; at < bytes.length; at += 65_521) {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
        assert.notEqual(refusal(flipped), undefined, `byte ${at}`);
      }
    });

    it("if it is something else", () => {
      const reason = "it is not a file of histories";
      assert.equal(
        refusal(Buffer.from('{"not":"a file of histories, but one of another program"}')),
        reason,
      );
      assert.equal(refusal(Buffer.alloc(100_000)), reason);
      assert.equal(refusal(Buffer.alloc(0)), reason);
    });

    it("if it has another format", () => {
      const other = Buffer.from(TINY_BYTES);
      other.writeUInt32LE(FORMAT + 1, 8);
      assert.equal(refusal(hashed(other)), `its format must be ${FORMAT}, got ${FORMAT + 1}`);
    });
  });

  describe("whose hash is right", () => {
    /** The places of all lengths in the tiny file. */
    const LENGTHS = [29, 37, 60, 86, 94, 100];

    it("is not believed if a length is larger than the file, and no memory is allocated", () => {
      for (const at of LENGTHS) {
        for (const length of [0xffff_ffff, 0x7fff_ffff, 1_000]) {
          const bytes = Buffer.from(TINY_BYTES);
          bytes.writeUInt32LE(length, at);
          const { arrayBuffers } = process.memoryUsage();
          assert.throws(() => recordsOf(hashed(bytes)), {
            code: "SIM_ERR_INTERNAL",
            message: /^a record must end within its file, got \d+ \(bytes\)/,
          });
          const grown = process.memoryUsage().arrayBuffers - arrayBuffers;
          assert.ok(grown < 2_000_000, `${grown} bytes were allocated`);
        }
      }
    });

    it("is not believed if a record is of no kind, or not complete", () => {
      const bytes = Buffer.from(TINY_BYTES);
      bytes.writeUInt8(4, 12);
      assert.throws(() => recordsOf(hashed(bytes)), { code: "SIM_ERR_INTERNAL" });
      assert.throws(() => recordsOf(hashed(TINY_BYTES.subarray(0, -1))), {
        code: "SIM_ERR_INTERNAL",
      });
    });
  });
});
