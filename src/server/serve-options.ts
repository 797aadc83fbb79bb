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
  /**
   * An `http.Server` or `https.Server` of Node.js that has the port, such as that of an Express application. It passes
   * requests for the paths of the app's sockets on, and serves everything else as before. `host` and `port` must not be
   * set then.
   */
  // What both have, since these types must not need those of Node.js.
  readonly attachTo?: {
    readonly listening: boolean;
    readonly headersTimeout: number;
    readonly requestTimeout: number;
  };
  /** Receives main's log lines. By default they are written to standard error. */
  readonly logger?: LogSink;
}
