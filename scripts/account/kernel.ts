/**
 * The kernel's memory for connections, read from the text of /proc. Pure functions.
 *
 * Runs on: the process of `npm run account`.
 */

/** Bytes by kind of kernel object. */
export type SlabBytes = ReadonlyMap<string, number>;

/**
 * Kinds of kernel objects that a connection consists of, including those for security labels. Other
 * kinds vary with other activity on the machine.
 */
const OF_CONNECTIONS = new Set([
  "TCP",
  "sock_inode_cache",
  "filp",
  "dentry",
  "eventpoll_epi",
  "eventpoll_pwq",
  "ep_head",
  "lsm_inode_cache",
  "lsm_file_cache",
]);

/** Parses /proc/slabinfo into bytes in use (objects times size), for the kinds of connections. */
export function readSlabs(text: string): SlabBytes {
  const bytes = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [name, active, , size] = line.split(/\s+/);
    if (name === undefined || !OF_CONNECTIONS.has(name)) continue;
    bytes.set(name, Number(active) * Number(size));
  }
  return bytes;
}

/** Parses a line such as `RssAnon:  123 kB` of /proc/PID/status. @throws Error if it is missing */
export function readStatusBytes(text: string, name: string): number {
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/PID/status must have ${name}`);
  return Number(kilobytes) * 1_024;
}
