/**
 * A socket at a path of the endpoint: its definition, its routes, its limits.
 *
 * Runs on: shard; made once for each mount.
 */

import type { ChannelRouter } from "./channel-router.ts";
import type { SocketDefinition } from "./definition.ts";

/** A mounted socket. */
export interface SocketMount {
  /** Path of the mount, as in `/socket`. */
  readonly path: string;
  readonly definition: SocketDefinition;
  readonly router: ChannelRouter;
  /** Time that an asynchronous `connect` may take. */
  readonly connectTimeoutMs: number;
  readonly maxChannels: number;
}
