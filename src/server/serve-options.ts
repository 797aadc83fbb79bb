/**
 * Options of `serve`.
 *
 * Runs on: main. Types only.
 */

import type { LogSink } from "../log/logger.ts";
import type { Options } from "../options/options.ts";
import type { AdapterSpec } from "../pubsub/adapter.ts";

/** The app, and options that can also come from environment variables. */
export interface ServeOptions extends Options {
  /** URL or path of the app module. Its default export is made by `defineEndpoint`. */
  readonly app: URL | string;
  /** `context.data` of the app in each shard; a structured clone. */
  readonly data?: unknown;
  /** A link to other nodes, instead of the one that `clusterUrl` names. */
  readonly adapter?: AdapterSpec;
  /** Gets the log lines of the main thread, instead of standard error. */
  readonly logger?: LogSink;
}
