/**
 * A change of one row, as `filter` and `map` of a source get it, and the messages that it becomes.
 *
 * Runs on: shard. Types only.
 */

/** A row, or a part of one: JSON values by the names of the columns. */
export type Row = Readonly<Record<string, unknown>>;

/** What happened to a row; a truncate happens to all rows of a table. */
export type ChangeOperation = "insert" | "update" | "delete" | "truncate";

/**
 * A change of one row.
 *
 * Values are those of PostgreSQL's `to_json`: timestamps are ISO 8601 in UTC, `bytea` is `\x…`. A number that a
 * JavaScript number cannot hold, such as a large `bigint`, is a string with all its digits.
 */
export interface Change {
  readonly operation: ChangeOperation;
  readonly schema: string;
  readonly table: string;
  /** The row as it is now. Undefined after a delete or a truncate. */
  readonly row: Row | undefined;
  /**
   * The row as it was. Undefined for an insert and a truncate. By replication, a table without REPLICA IDENTITY FULL
   * only has the columns of its key here: always for a delete, and for an update that changes the key.
   */
  readonly old: Row | undefined;
  /** True if `old` has all columns: by triggers, and by replication with REPLICA IDENTITY FULL. */
  readonly hasWholeOld: boolean;
  /**
   * By replication: columns that are not in `row`, because an update did not change them and PostgreSQL stores
   * them outside of the row (TOAST). Empty with REPLICA IDENTITY FULL.
   */
  readonly unchanged: readonly string[];
  /** When the row was changed (by triggers), or its transaction was committed (by replication). */
  readonly time: Date;
  /** Identifies the change. If it is delivered again, it has the same position. */
  readonly position: string;
}

/** A message to the subscribers of a topic. */
export interface SourceMessage {
  readonly topic: string;
  readonly event: string;
  /** An object or bytes. Default: `{}`. */
  readonly payload?: unknown;
}

/** What `map` may return. */
export type MapResult = SourceMessage | readonly SourceMessage[] | undefined;
