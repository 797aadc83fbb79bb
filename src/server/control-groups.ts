/**
 * The control groups of this process: the folders in which Linux shows the limits of a container or a service.
 *
 * A limit applies to a group and to all below it. So what counts is the smallest one on the way from the process's own
 * group to the highest that it can see.
 *
 *   /proc/self/cgroup      4:memory:/box/app                               group of each hierarchy; 0:: is version 2
 *   /proc/self/mountinfo   … /box /sys/fs/cgroup/memory … - cgroup … memory   which group a folder shows
 *                            |       |
 *                            |       +--> /sys/fs/cgroup/memory, and what is below
 *                            +----------> the group of that folder; so /box/app is /sys/fs/cgroup/memory/app
 *
 * Version 1 has a hierarchy for each controller, or for several (`cpu,cpuacct`), version 2 one for all. A hybrid system
 * has both, and each controller is in one of them. A container may be shown the group of the host (`/docker/…`) in the
 * first file although its folder shows that group, or a group outside of its namespace (`/..`).
 *
 * Runs on: main, before any shard starts. Pure, except for the reader.
 */

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path/posix";

const GROUPS_FILE = "/proc/self/cgroup";
const MOUNTS_FILE = "/proc/self/mountinfo";
/** A line of /proc/self/cgroup: hierarchy number, controllers (empty in version 2), group. */
const GROUP_LINE = /^\d+:(?<controllers>[^:]*):(?<group>\/.*)$/;
/** A line of mountinfo: two numbers, device, root, folder, options, optional fields, -, type, source, more options. */
const MOUNT_LINE =
  /^\d+ \d+ \S+ (?<root>\S+) (?<folder>\S+) \S+ .*?- (?<type>cgroup2?) \S+ (?<options>\S+)$/;

/** A controller whose limits this server follows. */
export type Controller = "cpu" | "memory";

/** Returns a file's text, or undefined if it cannot be read. Tests pass their own. */
export type ReadFile = (path: string) => string | undefined;

/** The folder of a control group. */
export interface GroupFolder {
  readonly version: 1 | 2;
  readonly path: string;
}

interface Mount extends GroupFolder {
  /** The group that the folder shows. */
  readonly root: string;
  /** Controllers of version 1. */
  readonly controllers: readonly string[];
}

/** Reads a file of the system. */
export function readSystemFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * Returns the smallest limit of this process's control groups, or Infinity if there is none.
 *
 * @param limitIn - returns the limit that a group has itself, or Infinity
 */
export function smallestLimit(
  controller: Controller,
  readFile: ReadFile,
  limitIn: (folder: GroupFolder) => number,
): number {
  return Math.min(...groupFolders(controller, readFile).map(limitIn));
}

/** Returns the folders of this process's groups, from its own to the highest that it can see. */
function groupFolders(controller: Controller, readFile: ReadFile): GroupFolder[] {
  const groups = linesOf(readFile(GROUPS_FILE), GROUP_LINE);
  return linesOf(readFile(MOUNTS_FILE), MOUNT_LINE).flatMap((line) => {
    const mount = mountOf(line);
    if (mount.version === 1 && !mount.controllers.includes(controller)) return [];
    const wanted = mount.version === 1 ? controller : "";
    const own = groups.find(({ controllers = "" }) => controllers.split(",").includes(wanted));
    return own?.["group"] === undefined ? [] : upwards(mount, own["group"]);
  });
}

/** The fields of a line, by the names of a pattern's groups. */
type Fields = Readonly<Record<string, string>>;

function linesOf(text: string | undefined, pattern: RegExp): Fields[] {
  return (text ?? "").split("\n").flatMap((line) => {
    const fields = pattern.exec(line)?.groups;
    return fields ? [fields] : [];
  });
}

function mountOf({ root = "", folder = "", type, options = "" }: Fields): Mount {
  return {
    version: type === "cgroup2" ? 2 : 1,
    root: unescaped(root),
    path: unescaped(folder),
    controllers: options.split(","),
  };
}

/** Decodes the octal escapes of blanks and backslashes. */
function unescaped(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCodePoint(Number.parseInt(octal, 8)),
  );
}

function upwards({ version, root, path }: Mount, group: string): GroupFolder[] {
  const folders: GroupFolder[] = [];
  for (let below = belowRoot(group, root); ; below = dirname(below)) {
    folders.push({ version, path: resolve(path, `.${below}`) });
    if (below === "/") return folders;
  }
}

/** Returns where a group is below the root of a mount; `/` also if the mount does not show it. */
function belowRoot(group: string, root: string): string {
  if (group.split("/").includes("..")) return "/";
  if (root === "/") return group;
  return group.startsWith(`${root}/`) ? group.slice(root.length) : "/";
}
