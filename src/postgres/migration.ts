/**
 * The type of a migration.
 *
 * Runs on: main, for `simurgh postgres`. Types only.
 */

/** A step from one version of the schema to the next. */
export interface Migration {
  readonly name: string;
  /**
   * Returns the statements.
   *
   * @param schema - name of the schema, which needs no quotes
   */
  sql(schema: string): string;
}
