/**
 * Layout of the slab store: blocks of one size, which hold topics and their messages.
 *
 * A slab is one ArrayBuffer of many blocks. Blocks are numbered through all slabs. All are of the same
 * size, so any free block suits any use, and the memory cannot fragment. Each block has a link, in an
 * array of its own beside the slab, so that the bytes of neighbouring blocks are contiguous.
 *
 *   slab 0                          slab 1
 *   +---------+---------+-- ... --+ +---------+-- ... --+
 *   | block 0 | block 1 |         | | block n |         |    each BLOCK_BYTES
 *   +---------+---------+-- ... --+ +---------+-- ... --+
 *     link      link                  link                   next block of a chain, or NONE
 *
 * A topic is an entry and a log. The entry is one block: ENTRY_BYTES of words, then the name. A name
 * that needs more room continues in further blocks of the entry's chain.
 *
 *   entry  | words | name ... |  ->  | name ... |
 *
 * The log is a chain of blocks, filled without gaps with records of whole cells of 16 bytes. A record
 * continues in the next block of the chain. Records are added at the end and removed at the start;
 * blocks before the oldest record are free.
 *
 *   log    | (removed) record | record | rec  ->  ord | record | (room) |
 *                      ^ oldest                                ^ end
 *
 *   message   0          4           8
 *             +----------+-----------+----------------+----------------------------+
 *             | length   | skipped   | time (double)  | bytes ..., up to a cell    |
 *             +----------+-----------+----------------+----------------------------+
 *     length    bytes of the message, at least 0
 *     skipped   number of offsets burned between the previous message and this one; uint32
 *     time      when it was kept (ms since the Unix epoch)
 *
 *   waypoint  0          4           8        12       16               24       28
 *             +----------+-----------+--------+--------+----------------+--------+-----------+
 *             | WAYPOINT | prev      | jump   | depth  | offset (double)| serial | jumpDepth |
 *             +----------+-----------+--------+--------+----------------+--------+-----------+
 *     prev      place of the waypoint before it
 *     jump      place of an older waypoint, at depth `jumpDepth`
 *     depth     number of waypoints written in this log so far; wraps
 *     offset    offset of the message before the waypoint
 *     serial    serial number of that message
 *
 * A waypoint is written every WAYPOINT_CELLS of a log. With the jumps, which follow Myers' skew-binary
 * lists, a message is found in time that grows with the logarithm of the log's length. A waypoint that
 * has been removed is recognized by its depth, which is below the entry's `oldestDepth`; its place may
 * contain anything by then.
 *
 * Runs on: the keeper's thread, which is the only one that reads or writes slabs. Constants and
 * arithmetic only.
 *
 * Units, never mixed:
 *   block   number of a block, through all slabs
 *   cell    16 bytes; index within a block, 0 to CELLS_PER_BLOCK (the latter: continue in the next)
 *   place   block × CELLS_PER_BLOCK + cell
 *   word    4 bytes; index within a block
 *   double  8 bytes; index within a block
 *   serial  number of messages added to a topic; int32, wraps
 */

/** Size of a block (bytes). */
export const BLOCK_BYTES = 256;
/** Size of a block's link (bytes). */
export const LINK_BYTES = 4;
/** Binary logarithm of the words in a block. */
export const WORDS_SHIFT = 6;
/** Binary logarithm of the doubles in a block. */
export const DOUBLES_SHIFT = 5;
/** Binary logarithm of the bytes in a block. */
export const BYTES_SHIFT = 8;
/** No block: the end of a chain, an empty list. */
export const NONE = -1;

/** Size of a cell (bytes). */
export const CELL_BYTES = 16;
/** Number of cells in a block. */
export const CELLS_PER_BLOCK = BLOCK_BYTES / CELL_BYTES;
/** Number of words in a cell. */
export const WORDS_PER_CELL = 4;

// Words and doubles of a message's first cell.
export const LENGTH_WORD = 0;
export const SKIPPED_WORD = 1;
export const TIME_DOUBLE = 1;

// Words and doubles of a waypoint: first cell, then second.
export const WAYPOINT = -1;
export const WAYPOINT_CELLS_USED = 2;
export const PREV_WORD = 1;
export const JUMP_WORD = 2;
export const DEPTH_WORD = 3;
export const WAYPOINT_OFFSET_DOUBLE = 0;
export const WAYPOINT_SERIAL_WORD = 2;
export const JUMP_DEPTH_WORD = 3;

/** Number of cells in a log after which a waypoint is written (4 KiB). */
export const WAYPOINT_CELLS = 256;

/** Size of an entry's words; its name follows (bytes). */
export const ENTRY_BYTES = 144;

/** Words of an entry. */
export const ENTRY = {
  /** Hash of the topic. */
  hash: 0,
  /** Size of the name (bytes). */
  nameBytes: 1,
  /** Bytes per UTF-16 unit of the name: 1 if all units are below 256, otherwise 2. */
  unitBytes: 2,
  /** Next entry of the same bucket. */
  sameBucket: 3,
  /** Neighbours in the order of silence. */
  newer: 4,
  older: 5,
  /** Position of the oldest record. The block is NONE if there is no message. */
  oldestBlock: 6,
  oldestCell: 7,
  /** Position after the newest record. */
  endBlock: 8,
  endCell: 9,
  /** Number of messages, and the serial of the newest. */
  messages: 10,
  newestSerial: 11,
  /** Place and depth of the newest waypoint, and depth of the oldest one that is left. */
  waypoint: 12,
  waypointDepth: 13,
  oldestDepth: 14,
  /** Cells written since the newest waypoint. */
  cellsSince: 15,
  /** Limit of the number of messages. */
  size: 16,
} as const;

/** Doubles of an entry. They follow its words, of which the last is unused. */
export const ENTRY_DOUBLES = {
  /** Newest offset used. */
  head: 9,
  /** Offset of the newest message ever added; without one, OFFSET_BEFORE_FIRST. */
  newest: 10,
  /** Offset of the last message removed. The burned offsets before the oldest message follow. */
  base: 11,
  /** Size of the messages (bytes). */
  bytes: 12,
  /** Limits of the topic. */
  ttlMs: 13,
  maxBytes: 14,
  /** Time of the newest message ever added (ms). */
  newestMs: 15,
  /** Time of the last use (ms). */
  usedMs: 16,
  /** The epoch, a safe integer. */
  epoch: 17,
} as const;

/** Smallest and largest number of buckets for topics. */
const MIN_BUCKETS = 8;
const MAX_BUCKETS = 2 ** 22;
/** Number of bytes of a store for each bucket. A topic with a message takes at least half of that. */
const BYTES_PER_BUCKET = 1_024;
const BUCKET_BYTES = 4;
/** Largest number of blocks, 32 GiB. It keeps places within an int32. */
const MAX_BLOCKS = 2 ** 27 - 1;

/** How the bytes of a store are divided. */
export interface SlabPlan {
  /** Number of buckets that topics are hashed to; a power of two. */
  readonly buckets: number;
  /** Number of blocks, in all slabs. */
  readonly blocks: number;
}

/** Divides the bound of a store (bytes) between buckets and blocks with their links. */
export function planOf(maxBytes: number): SlabPlan {
  const wanted = 2 ** Math.floor(Math.log2(Math.max(maxBytes / BYTES_PER_BUCKET, 1)));
  const buckets = Math.min(Math.max(wanted, MIN_BUCKETS), MAX_BUCKETS);
  const blocks = Math.floor((maxBytes - buckets * BUCKET_BYTES) / (BLOCK_BYTES + LINK_BYTES));
  return { buckets, blocks: Math.min(Math.max(blocks, 0), MAX_BLOCKS) };
}

/** Returns the number of cells of a message's bytes. */
export function cellsOf(length: number): number {
  return (length + (CELL_BYTES - 1)) >>> 4;
}

/** Returns the number of blocks that hold a number of cells. */
export function blocksOf(cells: number): number {
  return (cells + (CELLS_PER_BLOCK - 1)) >>> 4;
}

/** Returns the place of a cell. */
export function placeOf(block: number, cell: number): number {
  return block * CELLS_PER_BLOCK + cell;
}

/** Returns the block of a place. */
export function blockOf(place: number): number {
  return place >>> 4;
}

/** Returns the cell of a place. */
export function cellOf(place: number): number {
  return place & (CELLS_PER_BLOCK - 1);
}
