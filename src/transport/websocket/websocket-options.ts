/**
 * Options of a mount's WebSocket.
 *
 * Runs on: shard.
 */

import { checkBoolean, checkKeys, checkPath, invalid } from "../../definition-checks.ts";
import { kindOf } from "../../errors.ts";
import { checkOption } from "../../options/options.ts";
import { HANDSHAKE_KEYS, type HandshakeOptions } from "../handshake/handshake-options.ts";
import { joinPaths } from "../http/path.ts";

/** Options of WebSocket. */
export interface WebSocketOptions {
  /** A connection that sends nothing for this long is closed (ms). */
  readonly timeoutMs: number;
  /** Maximum size of a message from a client, including the 6 to 14 bytes of a frame's header. */
  readonly maxFrameBytes: number;
  /** Whether frames are compressed in both directions for clients that offer permessage-deflate. */
  readonly compress: boolean;
}

/** Options of a mount's WebSocket. They override those of the mount. */
export interface WebSocketMountOptions extends Partial<WebSocketOptions>, HandshakeOptions {
  /** Path after that of the mount; may contain variables. Default: `/websocket`. */
  readonly path?: string;
}

const DEFAULT_PATH = "/websocket";

const KEYS = [
  "timeoutMs",
  "maxFrameBytes",
  "compress",
  "path",
  ...HANDSHAKE_KEYS,
] as const satisfies readonly (keyof WebSocketMountOptions)[];

/** Returns the options of a mount's WebSocket, or undefined if it is off. */
export function websocketOptionsOf({
  websocket = true,
}: {
  readonly websocket?: boolean | WebSocketMountOptions;
}): WebSocketMountOptions | undefined {
  if (websocket === false) return undefined;
  return websocket === true ? {} : websocket;
}

/** Returns the path at which a mount's WebSocket is served. @param mountPath - that of the mount */
export function websocketPathOf(
  mountPath: string,
  { path = DEFAULT_PATH }: WebSocketMountOptions,
): string {
  return joinPaths(mountPath, path);
}

/** Checks the options. @throws SIM_ERR_DEFINITION_INVALID, SIM_ERR_OPTION_INVALID */
export function checkWebSocketOptions(path: string, given: unknown): void {
  if (given === undefined || typeof given === "boolean") return;
  if (typeof given !== "object" || given === null) {
    throw invalid(`websocket of ${path} must be true, false or an object, got ${kindOf(given)}`);
  }
  checkKeys(`websocket of ${path}`, given, KEYS);
  const { timeoutMs, maxFrameBytes, compress, path: own } = given as WebSocketMountOptions;
  if (own !== undefined) checkPath(`websocket path of ${path}`, own);
  if (compress !== undefined) checkBoolean(`compress of ${path}`, compress);
  if (timeoutMs !== undefined) checkOption("idleTimeoutMs", `timeoutMs of ${path}`, timeoutMs);
  if (maxFrameBytes !== undefined) {
    checkOption("maxFrameBytes", `maxFrameBytes of ${path}`, maxFrameBytes);
  }
}
