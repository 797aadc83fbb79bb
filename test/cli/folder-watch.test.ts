/**
 * What is heard of files, whatever becomes of their folders.
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

/** Has a folder come and go until it is ended. */
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

  it("hears of a file that is written, and removed, and of no other in its folder", async () => {
    mkdirSync(folder);
    watch.watch([file]);
    writeFileSync(join(folder, "notes.txt"), "not ours");
    await next("the file", () => writeFileSync(file, "1"));
    const before = events;
    writeFileSync(join(folder, "notes.txt"), "not ours either");
    await next("its removal", () => unlinkSync(file));
    assert.ok(events - before <= 2, `${events - before} events`);
  });

  it("hears that a folder comes in which a file will be", async () => {
    watch.watch([file]);
    await next("the folder", () => mkdirSync(folder));
  });

  it("hears that the folder itself goes, with nothing in it", async () => {
    mkdirSync(folder);
    watch.watch([file]);
    await next("the folder's removal", () => rmdirSync(folder));
  });

  it("goes on where a folder goes just as it is to be watched", async () => {
    mkdirSync(folder);
    // On another thread, since the loop of this one stands still meanwhile.
    const churn = new Worker(CHURN, { eval: true, workerData: folder });
    for (let count = 0; count < LOOKS; count += 1) watch.watch([file]);
    await churn.terminate();
    mkdirSync(folder, { recursive: true });
    watch.watch([file]);
    await next("the file", () => writeFileSync(file, "1"));
  });

  it("hears nothing more of what it watches no more", async () => {
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
