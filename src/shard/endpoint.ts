/**
 * How a user defines an endpoint: sockets and routes by their paths. The app module's default.
 *
 * Runs on: shard; the app module is loaded by each.
 */

import type { ChannelDefinition } from "../channel/definition.ts";
import { makeError } from "../errors.ts";
import type { LogSink } from "../logger.ts";
import type { ChannelRoute } from "../socket/channel-router.ts";
import type { SocketDefinition } from "../socket/definition.ts";
import type { Route } from "../transport/routes.ts";
import type { WebSocketOptions } from "../transport/websocket.ts";
import type { ShardContext } from "./context.ts";

/** A socket at a path. */
export interface MountDefinition {
  // The assigns are the definition's own affair; here any socket may stand.
  readonly socket: SocketDefinition<never> | SocketDefinition;
  /** By topic pattern: a channel, or a channel with assigns of its own. The first match counts. */
  readonly channels: Readonly<Record<string, ChannelDefinition | ChannelRoute>>;
  /** Options of the WebSocket at `<path>/websocket`; true: the server's. */
  readonly websocket?: true | Partial<WebSocketOptions>;
  /** Topics that one connection may have joined at once; the server's `maxChannels` without. */
  readonly maxChannels?: number;
}

/** An endpoint as a user gives it. */
export interface EndpointCallbacks {
  /** Sockets by path, which may have variables: `/org/:org/socket`. */
  readonly sockets: Readonly<Record<string, MountDefinition>>;
  /** HTTP routes, as in `"GET /healthz": () => ({ status: 200 })`. */
  readonly routes?: Readonly<Record<string, Route<ShardContext>>>;
  /**
   * Module whose exported functions are what `socket.task` runs on other threads, as in
   * `new URL("./tasks.js", import.meta.url)`.
   */
  readonly tasks?: URL;
  /** Runs in each shard before it is ready. What it throws fails `serve`. */
  start?(context: ShardContext): void | Promise<void>;
  /** Runs in each shard after its last channel's `terminate`. */
  stop?(context: ShardContext): void | Promise<void>;
  /** Takes log lines of the shard instead of standard error. */
  readonly logger?: LogSink;
}

const KIND = Symbol.for("simurgh.endpoint");

/** An endpoint, as a shard uses it. */
export interface EndpointDefinition extends EndpointCallbacks {
  readonly [KIND]: true;
}

const MOUNT_KEYS = ["socket", "channels", "websocket", "maxChannels"];

/**
 * Defines an endpoint.
 *
 * @throws SIM_ERR_DEFINITION_INVALID for an unknown key, a path without its slash, or `tasks` that
 *   is no URL of a file
 */
export function defineEndpoint(callbacks: EndpointCallbacks): EndpointDefinition {
  const { tasks } = callbacks;
  if (tasks !== undefined && !(tasks instanceof URL && tasks.protocol === "file:")) {
    const message = `tasks must be the URL of a file, got ${String(tasks)}`;
    throw makeError("SIM_ERR_DEFINITION_INVALID", message);
  }
  for (const [path, mount] of Object.entries(callbacks.sockets)) {
    if (!path.startsWith("/")) {
      const message = `socket path must start with /, got ${JSON.stringify(path)}`;
      throw makeError("SIM_ERR_DEFINITION_INVALID", message);
    }
    const unknown = Object.keys(mount).filter((key) => !MOUNT_KEYS.includes(key));
    if (unknown.length > 0) {
      const message = `${path} must have the keys ${MOUNT_KEYS.join(", ")}, got ${unknown.join(", ")}`;
      throw makeError("SIM_ERR_DEFINITION_INVALID", message);
    }
  }
  return { ...callbacks, [KIND]: true };
}

/** True for what `defineEndpoint` made, also in another copy of this package. */
export function isEndpoint(value: unknown): value is EndpointDefinition {
  return typeof value === "object" && value !== null && KIND in value;
}

/** Gives the route that a mount's `channels` has, in its long form. */
export function routeOf(given: ChannelDefinition | ChannelRoute): ChannelRoute {
  return "channel" in given ? given : { channel: given };
}
