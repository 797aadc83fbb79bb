import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { availableCpus } from "../../src/server/cpu-quota.ts";

/** Returns the number of shards for a machine with these CPUs and files. */
function shardsOn(cpus: number, files: Record<string, string>): number {
  return availableCpus({ parallelism: () => cpus, readFile: (path) => files[path] });
}

/** Returns the files of a container with a quota. */
function container(max: string): Record<string, string> {
  return { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": `${max}\n` };
}

describe("availableCpus", () => {
  it("is the parallelism if there is no quota", () => {
    assert.equal(shardsOn(8, {}), 8);
    assert.equal(shardsOn(8, { "/proc/self/cgroup": "" }), 8);
    assert.equal(shardsOn(8, { "/proc/self/cgroup": "no such line\n0::/\n" }), 8);
    assert.equal(
      shardsOn(8, { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n" }),
      8,
    );
  });

  it("is the quota of a container, rounded down", () => {
    assert.equal(shardsOn(8, container("200000 100000")), 2);
    assert.equal(shardsOn(8, container("399999 100000")), 3);
    assert.equal(shardsOn(8, container("50000 100000")), 1);
    assert.equal(shardsOn(2, container("800000 100000")), 2);
  });

  it("is the smallest quota among our own group and those above it", () => {
    const files = {
      "/proc/self/cgroup": "0::/system.slice/app.service/worker\n",
      "/sys/fs/cgroup/system.slice/app.service/cpu.max": "300000 100000\n",
      "/sys/fs/cgroup/system.slice/cpu.max": "600000 100000\n",
      "/sys/fs/cgroup/system.slice/other.service/cpu.max": "100000 100000\n",
    };
    assert.equal(shardsOn(8, files), 3);
    assert.equal(
      shardsOn(8, { ...files, "/sys/fs/cgroup/system.slice/cpu.max": "20000 10000\n" }),
      2,
    );
  });

  it("checks the root if our group is outside of the namespace", () => {
    const files = {
      "/proc/self/cgroup": "0::/../../elsewhere\n",
      "/sys/elsewhere/cpu.max": "100000 100000\n",
      "/sys/fs/cgroup/cpu.max": "200000 100000\n",
    };
    assert.equal(shardsOn(8, files), 2);
  });

  it("reads version 1, under the name of one controller or of all", () => {
    const groups = { "/proc/self/cgroup": "5:memory:/box\n4:cpu,cpuacct:/box\n0::/\n" };
    for (const folder of ["cpu", "cpu,cpuacct"]) {
      const quota = (text: string): Record<string, string> => ({
        ...groups,
        [`/sys/fs/cgroup/${folder}/box/cpu.cfs_quota_us`]: text,
        [`/sys/fs/cgroup/${folder}/box/cpu.cfs_period_us`]: "100000\n",
      });
      assert.equal(shardsOn(8, quota("250000\n")), 2);
      assert.equal(shardsOn(8, quota("-1\n")), 8);
    }
  });

  it("ignores other controllers", () => {
    const files = {
      "/proc/self/cgroup": "2:cpuset:/\n1:cpuacct:/\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    };
    assert.equal(shardsOn(8, files), 8);
  });

  it("is from 1 to 64", () => {
    const files = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "1000 100000\n" };
    assert.equal(shardsOn(8, files), 1);
    assert.equal(shardsOn(128, {}), 64);
    for (const wrong of ["0 100000", "-5 100000", "100000 0", "100000", "x y", ""]) {
      assert.equal(shardsOn(8, { ...files, "/sys/fs/cgroup/cpu.max": wrong }), 8, wrong);
    }
  });

  it("is at least one on this machine, and at most 64", () => {
    const shards = availableCpus();
    assert.ok(Number.isInteger(shards) && shards >= 1 && shards <= 64);
  });
});
