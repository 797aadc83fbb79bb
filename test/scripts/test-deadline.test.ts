/**
 * What ends test files that do not end by themselves.
 *
 * Runs on: the test's thread; the files are processes of their own.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";

import { killLate } from "../../scripts/test-deadline.ts";
import { within } from "../support/deadline.ts";

const FOREVER = "setInterval(() => {}, 1_000)";

describe("a process that is started while late ones are killed", () => {
  it("is killed, and named, if it does not end in time", async () => {
    const killed: string[] = [];
    const stop = killLate(50, (file) => void killed.push(file));
    const child = spawn(process.execPath, ["--eval", FOREVER, "some.test.js"], { stdio: "ignore" });
    const [code, signal] = await within(once(child, "exit"), "its end");
    stop();
    assert.deepEqual([code, signal], [null, "SIGKILL"]);
    assert.deepEqual(killed, ["some.test.js"]);
  });

  it("is left alone if it ends in time, and so is one that is started later", async () => {
    const killed: string[] = [];
    const stop = killLate(60_000, (file) => void killed.push(file));
    const child = spawn(process.execPath, ["--eval", ""], { stdio: "ignore" });
    assert.deepEqual(await within(once(child, "exit"), "its end"), [0, null]);
    stop();
    const stopAtOnce = killLate(0, (file) => void killed.push(file));
    stopAtOnce();
    const later = spawn(process.execPath, ["--eval", ""], { stdio: "ignore" });
    assert.deepEqual(await within(once(later, "exit"), "its end"), [0, null]);
    assert.deepEqual(killed, []);
  });
});
