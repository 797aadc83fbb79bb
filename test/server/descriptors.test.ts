import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { devNull, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";

import { descriptorLimit, openDescriptors } from "../../src/server/descriptors.ts";

describe("the descriptors of the process", () => {
  it("are counted, as they are opened and closed", () => {
    const before = openDescriptors();
    const opened = Array.from({ length: 20 }, () => openSync(devNull, "r"));
    assert.ok(openDescriptors() >= before + 20 - 1);
    for (const descriptor of opened) closeSync(descriptor);
    assert.ok(openDescriptors() <= before);
  });

  it("are limited by the system, or by a guess", () => {
    assert.ok(descriptorLimit() > openDescriptors());
    const folder = mkdtempSync(join(tmpdir(), "simurgh-"));
    const limitIn = (text: string): number => {
      const file = join(folder, "limits");
      writeFileSync(file, text);
      return descriptorLimit(file);
    };
    assert.equal(
      limitIn("Max processes  1  2  processes\nMax open files  512  4096  files\n"),
      512,
    );
    assert.equal(limitIn("Max open files            unlimited   unlimited   files\n"), 10_000_000);
    assert.equal(limitIn("nothing\n"), 10_240);
    rmSync(folder, { recursive: true });
    assert.equal(descriptorLimit("/no/such/file"), 10_240);
  });
});
