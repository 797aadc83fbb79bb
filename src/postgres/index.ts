/**
 * `simurgh/postgres`: PostgreSQL as a transport and as a source of broadcasts.
 *
 * Runs on: shard.
 */

// First, as in the package's root.
import "../package-copy.ts";

export type { PostgresOptions } from "./address.ts";
export { postgresTransport } from "./transport/postgres-transport.ts";
export type { PostgresInfo, PostgresTransportOptions } from "./transport/options.ts";
export { postgresSource } from "./source/postgres-source.ts";
export type { ChangeMap, PostgresSourceOptions, SourceTable } from "./source/options.ts";
export type { Change, ChangeOperation, MapResult, Row, SourceMessage } from "./source/change.ts";
