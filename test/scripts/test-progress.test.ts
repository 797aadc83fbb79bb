/**
 * How far a run is, on a terminal and elsewhere.
 *
 * Runs on: the test's thread, in its own time.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import type { TestEvent } from "node:test/reporters";
import { fileURLToPath } from "node:url";

import { TestProgress } from "../../scripts/test-progress.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

function fileOf(path: string): string {
  return join(ROOT, "dist", path.replace(/\.ts$/, ".js"));
}

function started(path: string): TestEvent {
  const file = fileOf(path);
  return { type: "test:dequeue", data: { name: file, nesting: 0, file } };
}

function completed(path: string, passed: boolean): TestEvent {
  const file = fileOf(path);
  const details = { passed, duration_ms: 1 };
  return { type: "test:complete", data: { name: file, nesting: 0, file, testNumber: 1, details } };
}

function reported(type: "test:pass" | "test:fail"): TestEvent {
  const data = { name: "a test", nesting: 1, testNumber: 1, details: { duration_ms: 1 } };
  return { type, data } as TestEvent;
}

describe("the progress of a run", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setInterval"] }));
  afterEach(() => mock.timers.reset());

  it("is a line now and then, where there is no terminal", () => {
    const written: string[] = [];
    const progress = new TestProgress({ write: (text) => written.push(text) }, 3);
    progress.add(started("test/a.test.ts"));
    progress.add(started("test/b.test.ts"));
    progress.add(completed("test/a.test.ts", true));
    progress.add(reported("test:pass"));
    assert.deepEqual(written, []);
    mock.timers.tick(10_000);
    assert.deepEqual(written, ["0 s: 1 of 3 files, 1 tests; now b.test.ts\n"]);
    assert.deepEqual([...progress.times.keys()], ["test/a.test.ts"]);
    progress.end();
    mock.timers.tick(60_000);
    assert.equal(written.length, 1);
  });

  it("is one line that is written again, on a terminal", () => {
    const written: string[] = [];
    const sink = { isTTY: true, write: (text: string) => written.push(text) };
    const progress = new TestProgress(sink, 1);
    progress.add(started("test/a.test.ts"));
    mock.timers.tick(200);
    assert.deepEqual(written, ["\r\u001B[K0 s: 0 of 1 files, 0 tests; now a.test.ts"]);
    progress.end();
    assert.equal(written.at(-1), "\r\u001B[K");
  });

  it("names a file that failed at once, and counts the tests that failed", () => {
    const written: string[] = [];
    const progress = new TestProgress({ write: (text) => written.push(text) }, 1);
    progress.add(started("test/a.test.ts"));
    progress.add(completed("test/a.test.ts", false));
    progress.add(reported("test:fail"));
    assert.deepEqual(written, ["✖ test/a.test.ts\n"]);
    mock.timers.tick(10_000);
    assert.equal(written.at(-1), "0 s: 1 of 1 files, 1 tests, 1 failed; now \n");
    progress.end();
  });
});
