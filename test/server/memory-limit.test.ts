import assert from "node:assert/strict";
import { totalmem } from "node:os";
import { describe, it } from "node:test";

import { availableMemory } from "../../src/server/memory-limit.ts";
import { hybrid, version1, version2, type Files } from "../support/control-groups.ts";

const ROOT = "/sys/fs/cgroup";
const GIB = 2 ** 30;

/** Returns the memory of a machine of 8 GiB with these files (GiB). */
function gibOn(files: Files): number {
  return availableMemory({ total: () => 8 * GIB, readFile: (path) => files[path] }) / GIB;
}

describe("availableMemory", () => {
  it("is that of the machine if there is no limit", () => {
    assert.equal(gibOn({}), 8);
    assert.equal(gibOn(version2()), 8);
    for (const none of ["max\n", "0\n", "-1\n", "", "x\n", `${2 ** 62}\n`]) {
      assert.equal(gibOn({ ...version2(), [`${ROOT}/memory.max`]: none }), 8, none);
    }
  });

  it("is the limit of the container, or of a group above", () => {
    assert.equal(gibOn({ ...version2(), [`${ROOT}/memory.max`]: `${2 * GIB}\n` }), 2);
    const slice = {
      ...version2("/user.slice/app.service"),
      [`${ROOT}/user.slice/app.service/memory.max`]: "max\n",
      [`${ROOT}/user.slice/memory.max`]: `${3 * GIB}\n`,
    };
    assert.equal(gibOn(slice), 3);
  });

  it("is the threshold above which the kernel slows the process down, if that is lower", () => {
    const files = { ...version2(), [`${ROOT}/memory.max`]: `${4 * GIB}\n` };
    assert.equal(gibOn({ ...files, [`${ROOT}/memory.high`]: `${3 * GIB}\n` }), 3);
    assert.equal(gibOn({ ...files, [`${ROOT}/memory.high`]: "max\n" }), 4);
  });

  it("is the limit of version 1, but not its reservation, which is no limit", () => {
    const files = {
      ...version1("/docker/abc/inner", "/docker/abc"),
      [`${ROOT}/memory/memory.limit_in_bytes`]: `${2 * GIB}\n`,
      [`${ROOT}/memory/memory.soft_limit_in_bytes`]: `${GIB}\n`,
      [`${ROOT}/memory/inner/memory.limit_in_bytes`]: "9223372036854771712\n",
    };
    assert.equal(gibOn(files), 2);
    assert.equal(
      gibOn({ ...hybrid("/a/b"), [`${ROOT}/memory/a/memory.limit_in_bytes`]: `${GIB}\n` }),
      1,
    );
  });

  it("is known on this machine", () => {
    const bytes = availableMemory();
    assert.ok(bytes > 0 && bytes <= totalmem(), String(bytes));
  });
});
