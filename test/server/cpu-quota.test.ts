import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { describe, it } from "node:test";

import { availableCpus } from "../../src/server/cpu-quota.ts";
import { groupFiles, hybrid, version1, version2, type Files } from "../support/control-groups.ts";

const ROOT = "/sys/fs/cgroup";

/** Returns the number of shards for a machine with these CPUs and files. */
function shardsOn(cpus: number, files: Files): number {
  return availableCpus({ parallelism: () => cpus, readFile: (path) => files[path] });
}

/** Returns the files of a container with a quota. */
function container(max: string): Files {
  return { ...version2(), [`${ROOT}/cpu.max`]: `${max}\n` };
}

/** Returns the files of a quota of version 1. */
function quota(folder: string, quotaUs: number): Files {
  return {
    [`${folder}/cpu.cfs_quota_us`]: `${quotaUs}\n`,
    [`${folder}/cpu.cfs_period_us`]: "100000\n",
  };
}

describe("availableCpus", () => {
  it("is the parallelism if there is no quota", () => {
    assert.equal(shardsOn(8, {}), 8);
    assert.equal(shardsOn(8, { "/proc/self/cgroup": "", "/proc/self/mountinfo": "" }), 8);
    assert.equal(shardsOn(8, { "/proc/self/cgroup": "no such line\n0::/\n" }), 8);
    assert.equal(shardsOn(8, version2()), 8);
    assert.equal(shardsOn(8, container("max 100000")), 8);
  });

  it("is the quota of a container, rounded down", () => {
    assert.equal(shardsOn(8, container("200000 100000")), 2);
    assert.equal(shardsOn(8, container("399999 100000")), 3);
    assert.equal(shardsOn(8, container("50000 100000")), 1);
    assert.equal(shardsOn(2, container("800000 100000")), 2);
  });

  it("is the smallest quota among our own group and those above it", () => {
    const slice = `${ROOT}/system.slice`;
    const files = {
      ...version2("/system.slice/app.service/worker"),
      [`${slice}/app.service/worker/cpu.max`]: "max 100000\n",
      [`${slice}/app.service/cpu.max`]: "300000 100000\n",
      [`${slice}/cpu.max`]: "600000 100000\n",
      [`${slice}/other.service/cpu.max`]: "100000 100000\n",
    };
    assert.equal(shardsOn(8, files), 3);
    assert.equal(shardsOn(8, { ...files, [`${slice}/cpu.max`]: "20000 10000\n" }), 2);
  });

  it("checks the root if our group is outside of the namespace", () => {
    const files = {
      ...version2("/../../elsewhere"),
      [`${ROOT}/elsewhere/cpu.max`]: "100000 100000\n",
      "/sys/elsewhere/cpu.max": "100000 100000\n",
      [`${ROOT}/cpu.max`]: "200000 100000\n",
    };
    assert.equal(shardsOn(8, files), 2);
  });

  it("reads version 1, where the mount shows the container's group as its root", () => {
    const files = version1("/docker/abc", "/docker/abc");
    assert.equal(shardsOn(8, { ...files, ...quota(`${ROOT}/cpu,cpuacct`, 250_000) }), 2);
    assert.equal(shardsOn(8, { ...files, ...quota(`${ROOT}/cpu,cpuacct`, -1) }), 8);
  });

  it("reads version 1, in a group below the container's", () => {
    const files = {
      ...version1("/docker/abc/inner", "/docker/abc"),
      ...quota(`${ROOT}/cpu,cpuacct`, 400_000),
      ...quota(`${ROOT}/cpu,cpuacct/inner`, 300_000),
      ...quota(`${ROOT}/cpu,cpuacct/docker/abc/inner`, 100_000),
    };
    assert.equal(shardsOn(8, files), 3);
  });

  it("reads version 1, where the whole hierarchy is shown", () => {
    const folder = `${ROOT}/cpu,cpuacct`;
    const files = {
      ...version1("/kubepods/pod1/c1", "/"),
      ...quota(folder, -1),
      ...quota(`${folder}/kubepods/pod1`, 200_000),
      ...quota(`${folder}/kubepods/pod1/c1`, 600_000),
    };
    assert.equal(shardsOn(8, files), 2);
  });

  it("reads version 1 on a hybrid system, and no mount of another controller", () => {
    const files = { ...hybrid("/box"), ...quota(`${ROOT}/cpu/box`, 300_000) };
    const others = {
      ...quota(`${ROOT}/memory/box`, 100_000),
      [`${ROOT}/unified/box/cpu.max`]: "100000 100000\n",
    };
    assert.equal(shardsOn(8, { ...files, ...others }), 3);
  });

  it("reads version 2 on a hybrid system whose controller is there", () => {
    const files = {
      ...groupFiles(
        ["4:memory:/", "0::/box"],
        [{ folder: `${ROOT}/memory`, controllers: "memory" }, { folder: `${ROOT}/unified` }],
      ),
      [`${ROOT}/unified/box/cpu.max`]: "500000 100000\n",
    };
    assert.equal(shardsOn(8, files), 5);
  });

  it("finds groups that are mounted elsewhere, also under a name with a blank", () => {
    const files = {
      ...groupFiles(["0::/app"], [{ folder: "/my\\040groups" }]),
      "/my groups/app/cpu.max": "200000 100000\n",
    };
    assert.equal(shardsOn(8, files), 2);
  });

  it("does not take a group for below another one whose name only begins like it", () => {
    const files = {
      ...version1("/docker/abcd", "/docker/abc"),
      ...quota(`${ROOT}/cpu,cpuacct/d`, 100_000),
      ...quota(`${ROOT}/cpu,cpuacct`, 300_000),
    };
    assert.equal(shardsOn(8, files), 3);
  });

  it("is from 1 to 64", () => {
    assert.equal(shardsOn(8, container("1000 100000")), 1);
    assert.equal(shardsOn(128, {}), 64);
    for (const wrong of ["0 100000", "-5 100000", "100000 0", "100000", "x y", ""]) {
      assert.equal(shardsOn(8, container(wrong)), 8, wrong);
    }
  });

  it("is at least one on this machine, and at most its parallelism", () => {
    const shards = availableCpus();
    assert.ok(Number.isInteger(shards) && shards >= 1 && shards <= availableParallelism());
  });
});
