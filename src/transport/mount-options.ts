/**
 * What a mount says of the transports that it is reached by: one key for each built-in transport, and
 * what they have in common.
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
  type LongPollMountOptions,
} from "./longpoll/longpoll-options.ts";
import {
  checkWebSocketOptions,
  websocketOptionsOf,
  type WebSocketMountOptions,
} from "./websocket/websocket-options.ts";

/** What a mount says of its transports, whatever its socket. */
export interface MountOptions extends HandshakeOptions {
  /** Options of the WebSocket at `<path>/websocket`; true, the default: the server's; false: none. */
  readonly websocket?: boolean | WebSocketMountOptions;
  /** Whether clients may poll at `<path>/longpoll`, and how; false by default. */
  readonly longpoll?: boolean | LongPollMountOptions;
  /**
   * True: clients may send a token (`authToken` of the official client), as a subprotocol or a
   * header, and `connectInfo.authToken` has it.
   */
  readonly authToken?: boolean;
}

/** Names of these. */
export const MOUNT_OPTION_KEYS = [
  "websocket",
  "longpoll",
  "authToken",
  ...HANDSHAKE_KEYS,
] as const satisfies readonly (keyof MountOptions)[];

/**
 * Checks what a mount says of its transports.
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
  // What the mount says for all must be right without any of them, too.
  const transports = [websocketOptionsOf(mount) ?? {}, longpollOptionsOf(mount) ?? {}];
  for (const transport of transports) handshakePolicyOf(path, endpoint, mount, transport);
}

/** Returns the time limits of a mount that the shard's sweep has to notice (ms). */
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
