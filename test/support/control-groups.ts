/**
 * File trees as Linux shows them to a process in control groups, for tests of the limits in them. Each is what a system
 * of that kind shows, with the numbers of mounts and devices left at 1.
 *
 * Runs on: any thread. Pure.
 */

/** Texts of files, by path. */
export type Files = Readonly<Record<string, string>>;

/** A mount: what it shows, and where. */
interface Mount {
  readonly root?: string;
  readonly folder: string;
  /** The controllers of a mount of version 1; absent: version 2. */
  readonly controllers?: string;
}

/** Returns the two files that say in which groups a process is, and where to find these. */
export function groupFiles(groups: readonly string[], mounts: readonly Mount[]): Files {
  const other = "22 28 0:20 / /proc rw,nosuid shared:13 - proc proc rw";
  const lines = mounts.map(({ root = "/", folder, controllers }) => {
    const kind = controllers === undefined ? "cgroup2" : "cgroup";
    const options = controllers === undefined ? "rw,nsdelegate" : `rw,${controllers}`;
    return `1 1 0:1 ${root} ${folder} rw,nosuid shared:9 - ${kind} ${kind} ${options}`;
  });
  return {
    "/proc/self/cgroup": groups.map((line) => `${line}\n`).join(""),
    "/proc/self/mountinfo": [other, ...lines, ""].join("\n"),
  };
}

/** Version 2: one hierarchy, as a container with a namespace of its own sees it, or a service. */
export function version2(group = "/"): Files {
  return groupFiles([`0::${group}`], [{ folder: "/sys/fs/cgroup" }]);
}

/** Version 1: a container that is shown its group on the host, without a namespace of its own. */
export function version1(group: string, root: string): Files {
  const folder = "/sys/fs/cgroup";
  return groupFiles(
    [`5:memory:${group}`, `4:cpu,cpuacct:${group}`, `3:cpuset:${group}`, `1:name=systemd:${group}`],
    [
      { root, folder: `${folder}/systemd`, controllers: "xattr,name=systemd" },
      { root, folder: `${folder}/cpuset`, controllers: "cpuset" },
      { root, folder: `${folder}/cpu,cpuacct`, controllers: "cpu,cpuacct" },
      { root, folder: `${folder}/memory`, controllers: "memory" },
    ],
  );
}

/** A hybrid system: the controllers are in version 1, and version 2 has none. */
export function hybrid(group: string): Files {
  return groupFiles(
    [`4:memory:${group}`, `1:cpu:${group}`, "0::/"],
    [
      { folder: "/sys/fs/cgroup/cpu", controllers: "cpu" },
      { folder: "/sys/fs/cgroup/memory", controllers: "memory" },
      { folder: "/sys/fs/cgroup/unified" },
    ],
  );
}
