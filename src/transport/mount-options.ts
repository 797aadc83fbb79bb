/**
 * The transport options of a mount: one key for each built-in transport, and the options that apply to
 * all of them.
 *
 * Runs on: shard.
 */

import type { ResolvedOptions } from "../options/options.ts";
import {
  HANDSHAKE_KEYS,
  handshakePolicyOf,
  type EndpointHandshake,
  type HandshakeOptions,
} from "./handshake/handshake-options.ts";
import {
  checkLongPollOptions,
  longpollOptionsOf,
  longpollPathOf,
  type LongPollMountOptions,
} from "./longpoll/longpoll-options.ts";
import {
  checkSseOptions,
  sseOptionsOf,
  ssePathOf,
  type SseMountOptions,
} from "./sse/sse-options.ts";
import {
  checkWebSocketOptions,
  websocketOptionsOf,
  websocketPathOf,
  type WebSocketMountOptions,
} from "./websocket/websocket-options.ts";

/** The transport options of a mount, whatever its socket. */
export interface MountOptions extends HandshakeOptions {
  /**
   * WebSocket at `<path>/websocket`. True (the default) uses the server's options, an object
   * overrides them, and false turns WebSocket off.
   */
  readonly websocket?: boolean | WebSocketMountOptions;
  /** Long-poll at `<path>/longpoll`, likewise. Default: false. */
  readonly longpoll?: boolean | LongPollMountOptions;
  /** Server-sent events at `<path>/sse`, likewise. Default: false. */
  readonly sse?: boolean | SseMountOptions;
  /**
   * Whether clients may send a token (`authToken` of the official client), as a subprotocol or in a
   * header. It is passed to `connect` as `connectInfo.authToken`.
   */
  readonly authToken?: boolean;
}

/** The names of all transport options. */
export const MOUNT_OPTION_KEYS = [
  "websocket",
  "longpoll",
  "sse",
  "authToken",
  ...HANDSHAKE_KEYS,
] as const satisfies readonly (keyof MountOptions)[];

/**
 * Checks the transport options of a mount.
 *
 * @throws SIM_ERR_DEFINITION_INVALID, SIM_ERR_OPTION_INVALID
 */
export function checkMountOptions(
  path: string,
  mount: MountOptions,
  endpoint: EndpointHandshake,
): void {
  checkWebSocketOptions(path, mount.websocket);
  checkLongPollOptions(path, mount.longpoll);
  checkSseOptions(path, mount.sse);
  // A transport that is off is checked with the options {}, so that the mount's own options are
  // always checked.
  const transports = [websocketOptionsOf(mount) ?? {}, longpollOptionsOf(mount) ?? {}];
  for (const transport of transports) handshakePolicyOf(path, endpoint, mount, transport);
}

/** Returns the path of each transport of a mount, by the transport's name. */
export function pathsOf(path: string, mount: MountOptions): [transport: string, path: string][] {
  const websocket = websocketOptionsOf(mount);
  const longpoll = longpollOptionsOf(mount);
  const sse = sseOptionsOf(mount);
  const paths: [string, string][] = [];
  if (websocket) paths.push(["websocket", websocketPathOf(path, websocket)]);
  if (longpoll) paths.push(["longpoll", longpollPathOf(path, longpoll)]);
  if (sse) paths.push(["sse", ssePathOf(path, sse)]);
  return paths;
}

/** Returns the time limits of a mount (ms) that the shard's sweep enforces. */
export function timeLimitsOf(
  mount: MountOptions,
  options: Pick<ResolvedOptions, "idleTimeoutMs" | "longpollWindowMs" | "longpollTimeoutMs">,
): number[] {
  const limitsMs: number[] = [];
  const websocket = websocketOptionsOf(mount);
  if (websocket) limitsMs.push(websocket.timeoutMs ?? options.idleTimeoutMs);
  const longpoll = longpollOptionsOf(mount);
  if (longpoll) {
    const { windowMs, pubsubTimeoutMs } = longpoll;
    limitsMs.push(windowMs ?? options.longpollWindowMs);
    limitsMs.push(pubsubTimeoutMs ?? options.longpollTimeoutMs);
  }
  return limitsMs;
}
