/**
 * The tables of `npm run load:source`, and the topics of their changes.
 *
 * Runs on: the load test's process, and every shard of the server.
 */

/** One writer writes to each. */
export const TABLES: readonly string[] = ["load_0", "load_1", "load_2", "load_3"];

/** Returns the topic of a table. Every other table's topic has a history. */
export function topicOf(table: string): string {
  return `${TABLES.indexOf(table) % 2 === 0 ? "kept" : "plain"}:${table}`;
}
