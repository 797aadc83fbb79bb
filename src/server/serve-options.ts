/**
 * What `serve` takes.
 *
 * Runs on: main. Types only.
 */

import type { LogSink } from "../log/logger.ts";
import type { Options } from "../options/options.ts";
import type { AdapterSpec } from "../pubsub/adapter.ts";

/** What `serve` takes: the app, and options that the environment can give as well. */
export interface ServeOptions extends Options {
  /** The app module, whose default export `defineEndpoint` made: a URL, or a path. */
  readonly app: URL | string;
  /** Handed to the app in each shard as `context.data`; must survive a structured clone. */
  readonly data?: unknown;
  /** Link to other nodes, of your own or within the process; else `clusterUrl` says which. */
  readonly adapter?: AdapterSpec;
  /** Takes main's log lines instead of standard error. */
  readonly logger?: LogSink;
}
