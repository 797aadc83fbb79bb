/**
 * What the kernel holds, as it says itself. Pure functions over the text of /proc.
 *
 * Runs on: the process of `npm run account`.
 */

/** Bytes by kind of object. */
export type SlabBytes = ReadonlyMap<string, number>;

/**
 * Kinds of kernel objects that a connection is made of, with those that carry their security labels.
 * Others grow and shrink with whatever the machine does.
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

/** Reads /proc/slabinfo: objects in use times their size, of those that connections are made of. */
export function readSlabs(text: string): SlabBytes {
  const bytes = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [name, active, , size] = line.split(/\s+/);
    if (name === undefined || !OF_CONNECTIONS.has(name)) continue;
    bytes.set(name, Number(active) * Number(size));
  }
  return bytes;
}

/** Reads a line such as `RssAnon:  123 kB` of /proc/PID/status, in bytes. @throws Error without it */
export function readStatusBytes(text: string, name: string): number {
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/PID/status must have ${name}`);
  return Number(kilobytes) * 1_024;
}
