/**
 * The files of a keeper: one that cannot be used is a line in the log, and nothing else.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync } from "node:fs";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";

import { HistoryFileWriter } from "../../src/history/history-file.ts";
import { FIRST_OFFSET } from "../../src/history/offsets.ts";
import { PublishKeys } from "../../src/history/publish-keys.ts";
import type { Histories } from "../../src/history/saved-histories.ts";
import { SlabStore } from "../../src/history/slab-store.ts";
import type { Logger } from "../../src/log/logger.ts";
import type { KeeperFiles, OpenHistoryFile } from "../../src/shard/control.ts";
import { restoreFiles, saveFile } from "../../src/shard/keeper-files.ts";
import { AMPLE, bytesOf } from "../history/store.contract.ts";

const LIMIT_MS = 60_000;

function make(): Histories {
  const store = new SlabStore({ maxBytes: 1_000_000, seed: 1, idleMs: 60_000, slabShift: 4 });
  return { store, keys: new PublishKeys(10_000) };
}

function withTopic(topic: string): Histories {
  const histories = make();
  histories.store.append(topic, AMPLE, bytesOf("x"), Date.now());
  return histories;
}

function topicsOf({ store }: Histories): string[] {
  const topics: string[] = [];
  store.visitTopics((topic) => topics.push(topic));
  return topics;
}

describe("A keeper's files", () => {
  let root: string;
  let directory: string;
  let tests = 0;
  const opened: number[] = [];
  let lines: [string, Record<string, unknown>][] = [];
  const logger = {
    log: (line: string, fields: Record<string, unknown> = {}) => lines.push([line, fields]),
  } as unknown as Logger;
  before(() => {
    root = mkdtempSync(join(tmpdir(), "simurgh-keeper-files-"));
  });
  after(() => rmSync(root, { recursive: true }));
  beforeEach(() => {
    tests += 1;
    directory = join(root, String(tests));
    mkdirSync(directory);
    lines = [];
  });
  afterEach(() => {
    for (const descriptor of opened.splice(0)) closeSync(descriptor);
  });

  function open(name: string, flags: string): OpenHistoryFile {
    const path = join(directory, name);
    const descriptor = openSync(path, flags);
    opened.push(descriptor);
    return { path, descriptor };
  }

  /** Returns the files of a keeper with the index 0, of which some were saved. */
  function files(saved: readonly OpenHistoryFile[] = []): KeeperFiles {
    return { saved, isFirst: true, part: open("f.0.part", "w+"), path: join(directory, "f.0") };
  }

  function restore(
    saved: readonly OpenHistoryFile[],
    { limitMs = LIMIT_MS, isFirst = true } = {},
  ): Histories {
    return restoreFiles(
      { ...files(saved), isFirst },
      {
        make,
        limitsOf: () => AMPLE,
        adopt: (_topic, bytes) => bytes,
        hasMissed: false,
        nowMs: Date.now(),
        limitMs,
        logger,
      },
    );
  }

  /** Saves a topic to a file of this name. */
  function written(name: string, topic: string): OpenHistoryFile {
    saveFile(files(), withTopic(topic), LIMIT_MS, logger);
    renameSync(join(directory, "f.0"), join(directory, name));
    lines = [];
    return open(name, "r");
  }

  it("are written, renamed, and restored", () => {
    saveFile(files(), withTopic("a"), LIMIT_MS, logger);
    assert.deepEqual(readdirSync(directory), ["f.0"]);
    const [[line, { topics, messages, bytes }]] = lines as [(typeof lines)[0]];
    const { length } = readFileSync(join(directory, "f.0"));
    assert.deepEqual([line, topics, messages, bytes], ["historySaved", 1, 1, length]);
    lines = [];
    assert.deepEqual(topicsOf(restore([open("f.0", "r")])), ["a"]);
    assert.deepEqual(
      lines.map(([name, fields]) => [name, fields["topics"], fields["messages"]]),
      [["historyRestored", 1, 1]],
    );
  });

  it("that were partly written before are written from their start", () => {
    const own = files();
    writeFileSync(own.part.path, Buffer.alloc(100_000, 1));
    saveFile(own, withTopic("a"), LIMIT_MS, logger);
    assert.deepEqual(topicsOf(restore([open("f.0", "r")])), ["a"]);
  });

  it("are restored all but the damaged ones", () => {
    const damaged = written("damaged", "b");
    const bytes = readFileSync(damaged.path);
    bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
    writeFileSync(damaged.path, bytes);
    const histories = restore([written("one", "a"), damaged, written("other", "c")]);
    assert.deepEqual(topicsOf(histories), ["a", "c"]);
    assert.deepEqual(lines[0], [
      "historyNotRestored",
      { path: damaged.path, reason: "it is damaged or not complete" },
    ]);
    assert.deepEqual(
      lines.map(([line]) => line),
      ["historyNotRestored", "historyRestored"],
    );
  });

  it("are one line for all keepers if they are damaged", () => {
    const damaged = open("damaged", "w+");
    restore([damaged], { isFirst: false });
    assert.deepEqual(
      lines.map(([line]) => line),
      ["historyRestored"],
    );
  });

  it("leave nothing if the records of one are impossible", () => {
    const impossible = open("impossible", "w+");
    const writer = new HistoryFileWriter(impossible.descriptor, () => {});
    writer.topic({ name: "b", epoch: "k", head: FIRST_OFFSET, usedMs: 1 });
    writer.message(FIRST_OFFSET + 1, Date.now(), bytesOf("x"));
    writer.end();
    assert.deepEqual(topicsOf(restore([written("one", "a"), impossible])), []);
    assert.deepEqual(
      lines.map(([line]) => line),
      ["historyNotRestored"],
    );
  });

  it("are given up when their time is up", () => {
    const one = written("one", "a");
    assert.deepEqual(topicsOf(restore([one], { limitMs: 0 })), []);
    assert.equal(lines[0]?.[0], "historyNotRestored");
    assert.match(String(lines[0]?.[1]["err"]), /must be done within 0 \(ms\)/);
    lines = [];
    saveFile(files(), withTopic("a"), 0, logger);
    assert.deepEqual(readdirSync(directory), ["one"]);
    assert.equal(lines[0]?.[0], "historyNotSaved");
  });

  it("are not saved if a process that started later has replaced them", () => {
    const own = files();
    rmSync(own.part.path);
    writeFileSync(own.part.path, "of another process");
    saveFile(own, withTopic("a"), LIMIT_MS, logger);
    assert.deepEqual(readdirSync(directory), ["f.0.part"]);
    assert.equal(readFileSync(own.part.path, "utf8"), "of another process");
    assert.equal(lines[0]?.[0], "historyNotSaved");
    rmSync(own.part.path);
    saveFile(own, withTopic("a"), LIMIT_MS, logger);
    assert.deepEqual(readdirSync(directory), []);
  });
});
