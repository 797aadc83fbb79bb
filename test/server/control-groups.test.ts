import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";

import {
  readSystemFile,
  smallestLimit,
  type Controller,
  type GroupFolder,
  type ReadFile,
} from "../../src/server/control-groups.ts";
import { groupFiles, hybrid, version1, version2, type Files } from "../support/control-groups.ts";

const noGroups: string | false = existsSync("/sys/fs/cgroup") ? false : "no control groups here";

/** Returns the folders that are asked for a limit, in order. */
function foldersOf(controller: Controller, readFile: ReadFile): string[] {
  const asked: GroupFolder[] = [];
  smallestLimit(controller, readFile, (folder) => {
    asked.push(folder);
    return Infinity;
  });
  return asked.map(({ version, path }) => `${version} ${path}`);
}

function foldersIn(files: Files, controller: Controller = "memory"): string[] {
  return foldersOf(controller, (path) => files[path]);
}

describe("smallestLimit", () => {
  it("asks the process's own group and all above it", () => {
    assert.deepEqual(foldersIn(version2("/a/b")), [
      "2 /sys/fs/cgroup/a/b",
      "2 /sys/fs/cgroup/a",
      "2 /sys/fs/cgroup",
    ]);
    assert.deepEqual(foldersIn(version2("/")), ["2 /sys/fs/cgroup"]);
  });

  it("asks only the hierarchy of the controller", () => {
    const files = version1("/docker/abc", "/docker/abc");
    assert.deepEqual(foldersIn(files), ["1 /sys/fs/cgroup/memory"]);
    assert.deepEqual(foldersIn(files, "cpu"), ["1 /sys/fs/cgroup/cpu,cpuacct"]);
  });

  it("asks both hierarchies of a hybrid system, as the files do not say which one has the controller", () => {
    assert.deepEqual(foldersIn(hybrid("/box")), [
      "1 /sys/fs/cgroup/memory/box",
      "1 /sys/fs/cgroup/memory",
      "2 /sys/fs/cgroup/unified",
    ]);
  });

  it("asks each folder in which a group is mounted", () => {
    const files = groupFiles(
      ["0::/app"],
      [{ folder: "/sys/fs/cgroup" }, { root: "/app", folder: "/limits" }],
    );
    assert.deepEqual(foldersIn(files), ["2 /sys/fs/cgroup/app", "2 /sys/fs/cgroup", "2 /limits"]);
  });

  it("asks nothing if the files say nothing, and returns Infinity", () => {
    const other = "22 28 0:20 / /proc rw - proc proc rw\ncgroup - cgroup2\n";
    const wrong = { "/proc/self/cgroup": "0::\nx\n", "/proc/self/mountinfo": other };
    assert.deepEqual(foldersIn(wrong), []);
    assert.deepEqual(foldersIn({}), []);
    assert.equal(
      smallestLimit(
        "cpu",
        () => undefined,
        () => 1,
      ),
      Infinity,
    );
  });

  it("asks folders that exist on this machine", { skip: noGroups }, () => {
    for (const controller of ["cpu", "memory"] as const) {
      const folders = foldersOf(controller, readSystemFile);
      assert.notEqual(folders.length, 0, controller);
      for (const folder of folders) assert.ok(existsSync(folder.slice(2)), folder);
    }
  });
});
