/**
 * Finds the process that listens on a TCP port of this machine, using /proc (Linux).
 *
 * Runs on: the bench's process.
 */

import { readFileSync, readdirSync, readlinkSync } from "node:fs";

/** State of a listening socket in /proc/net/tcp. */
const LISTEN = "0A";
const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"] as const;

/**
 * Returns the inodes of sockets that listen on a port, from the text of /proc/net/tcp or tcp6: a header,
 * then lines of `sl local_address rem_address st queues timer retransmits uid timeout inode ...`.
 */
export function listeningInodes(table: string, port: number): readonly string[] {
  const end = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const words = line.trim().split(/\s+/);
      const [, local, , state] = words;
      const inode = words[9];
      return local?.endsWith(end) === true && state === LISTEN && inode !== undefined
        ? [inode]
        : [];
    });
}

/**
 * Returns the process that listens on a port.
 *
 * @returns undefined if there is no such process, or if it belongs to another user
 */
export function findListener(port: number): number | undefined {
  const wanted = new Set(
    TABLES.flatMap((file) => listeningInodes(readOrNothing(file), port)).map(
      (inode) => `socket:[${inode}]`,
    ),
  );
  if (wanted.size === 0) return undefined;
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const pid = pids.find((candidate) => holdsOne(candidate, wanted));
  return pid === undefined ? undefined : Number(pid);
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/**
 * Reports whether a process holds one of the sockets; false if the process has ended or belongs to
 * another user.
 */
function holdsOne(pid: string, sockets: ReadonlySet<string>): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((name) => sockets.has(linkOf(`${folder}/${name}`)));
  } catch {
    return false;
  }
}

/** Returns the target of a descriptor's link; empty if the descriptor has been closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
