/**
 * A socket mounted at a path of the endpoint, with its definition, routes and limits.
 *
 * Runs on: shard; one instance per mount.
 */

import type { ChannelRouter } from "./channel-router.ts";
import type { SocketDefinition } from "./definition.ts";
import type { RawSocketDefinition } from "./raw-definition.ts";
import type { SocketLimiter } from "./socket-limiter.ts";

/** A mounted socket of channels. */
export interface SocketMount {
  /** Path of the mount, such as `/socket`. */
  readonly path: string;
  readonly definition: SocketDefinition;
  readonly router: ChannelRouter;
  /** Time limit of an asynchronous `connect`. */
  readonly handlerTimeoutMs: number;
  readonly maxChannels: number;
  /** Undefined if the connections have no rate limits. */
  readonly limiter: SocketLimiter | undefined;
}

/** A mounted raw socket. */
export interface RawSocketMount {
  readonly path: string;
  readonly definition: RawSocketDefinition;
  readonly handlerTimeoutMs: number;
}

/** A mounted socket of either kind. */
export type AnyMount = SocketMount | RawSocketMount;

/** Reports whether a mount is that of a raw socket. */
export function isRawMount(mount: AnyMount): mount is RawSocketMount {
  return !("router" in mount);
}
