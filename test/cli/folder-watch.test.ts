/**
 * Events of files, even if their folders are removed and created.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Worker } from "node:worker_threads";

import { FolderWatch } from "../../src/cli/folder-watch.ts";
import { Watched } from "../support/watched.ts";

/** Creates and removes a folder until it is stopped. */
const CHURN = `
  const { mkdirSync, rmdirSync } = require("node:fs");
  const { workerData: folder } = require("node:worker_threads");
  for (;;) {
    rmdirSync(folder);
    mkdirSync(folder);
  }
`;
const LOOKS = 5_000;

describe("FolderWatch", () => {
  let root: string;
  let folder: string;
  let file: string;
  let watch: FolderWatch;
  let events: number;
  let heard: Watched;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "simurgh-test-"));
    folder = join(root, "lib");
    file = join(folder, "version.mjs");
    events = 0;
    heard = new Watched();
    watch = new FolderWatch(() => {
      events += 1;
      heard.changed();
    });
  });
  afterEach(() => {
    watch.close();
    rmSync(root, { recursive: true });
  });

  async function next(what: string, change: () => void): Promise<void> {
    const before = events;
    change();
    await heard.until(`an event of ${what}`, () => events > before);
  }

  it("reports a file that is written or removed, and no other file in its folder", async () => {
    mkdirSync(folder);
    watch.watch([file]);
    writeFileSync(join(folder, "notes.txt"), "not ours");
    await next("the file", () => writeFileSync(file, "1"));
    const before = events;
    writeFileSync(join(folder, "notes.txt"), "not ours either");
    await next("its removal", () => unlinkSync(file));
    assert.ok(events - before <= 2, `${events - before} events`);
  });

  it("reports that the folder of a future file is created", async () => {
    watch.watch([file]);
    await next("the folder", () => mkdirSync(folder));
  });

  it("reports that the empty folder itself is removed", async () => {
    mkdirSync(folder);
    watch.watch([file]);
    await next("the folder's removal", () => rmdirSync(folder));
  });

  it("goes on if a folder is removed just when it is about to be watched", async () => {
    mkdirSync(folder);
    // On another thread, because the event loop of this one is blocked.
    const churn = new Worker(CHURN, { eval: true, workerData: folder });
    for (let count = 0; count < LOOKS; count += 1) watch.watch([file]);
    await churn.terminate();
    mkdirSync(folder, { recursive: true });
    watch.watch([file]);
    await next("the file", () => writeFileSync(file, "1"));
  });

  it("reports nothing about files that are no longer watched", async () => {
    mkdirSync(folder);
    watch.watch([file]);
    const other = join(root, "app.mjs");
    watch.watch([other]);
    writeFileSync(file, "1");
    await next("the other file", () => writeFileSync(other, "1"));
    watch.watch([file]);
    await next("the file", () => writeFileSync(file, "2"));
  });
});
