/**
 * The parameters of `serve`.
 *
 * Runs on: main. Types only.
 */

import type { LogSink } from "../log/sink.ts";
import type { Options } from "../options/options.ts";
import type { AdapterSpec } from "../pubsub/adapter.ts";

/** The parameters of `serve`: the app, and options that can also be set in the environment. */
export interface ServeOptions extends Options {
  /** URL or path of the app module. Its default export is the result of `defineEndpoint`. */
  readonly app: URL | string;
  /** Passed to the app in each shard as `context.data`; must support structured clone. */
  readonly data?: unknown;
  /** A custom link to other nodes. By default `clusterUrl` selects the link. */
  readonly adapter?: AdapterSpec;
  /** Receives main's log lines. By default they are written to standard error. */
  readonly logger?: LogSink;
}
