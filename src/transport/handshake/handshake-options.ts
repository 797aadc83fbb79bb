/**
 * Handshake options, and the policy that results from them for one transport of a mount.
 *
 * The options of a transport override those of its mount, which override the endpoint's.
 *
 * Runs on: shard; parsed once for each transport of each mount.
 */

import { checkBoolean, checkCallbacks, invalid, shown } from "../../definition-checks.ts";
import {
  serializersOf,
  type SerializerChoice,
  type SerializerList,
} from "../../protocol/version.ts";
import type { RouteResponse } from "../http/answer.ts";
import { ConnectInfoPlan, type ConnectInfoRequest } from "./connect-info.ts";
import { checkBrowserHost, OriginPolicy, type CheckOrigin } from "./origin.ts";
import { checkSubprotocols } from "./subprotocols.ts";

/** Returns the HTTP response for a WebSocket client that `connect` refused with a reason. */
export type ErrorHandler = (reason: unknown) => RouteResponse;

/** Options for the handshakes of a mount, or of one of its transports. */
export interface HandshakeOptions {
  /** Which pages may connect. Default: the endpoint's. */
  readonly checkOrigin?: CheckOrigin;
  /**
   * Whether a session requires a CSRF token. Default: true. It must not be false if `checkOrigin` is
   * false.
   */
  readonly checkCsrf?: boolean;
  /** The information about a client that is passed to `connect`. Default: none. */
  readonly connectInfo?: ConnectInfoRequest;
  /** Subprotocols that a WebSocket may use, in order of preference. */
  readonly subprotocols?: readonly string[];
  /**
   * Serializers, each with the client versions that it serves. The first match is used. Default:
   * Phoenix's serializers. Not for raw sockets.
   */
  readonly serializers?: readonly SerializerChoice[];
  /** Returns the response for a WebSocket client that was refused with a reason. Default: 403. */
  readonly errorHandler?: ErrorHandler;
}

/** The names of all handshake options. */
export const HANDSHAKE_KEYS = [
  "checkOrigin",
  "checkCsrf",
  "connectInfo",
  "serializers",
  "subprotocols",
  "errorHandler",
] as const satisfies readonly (keyof HandshakeOptions)[];

/** Options of an endpoint for all of its mounts. */
export interface EndpointHandshake extends Pick<HandshakeOptions, "checkOrigin"> {
  /** Host of the endpoint's own pages; null: any. Default: `localhost`. */
  readonly urlHost?: string | null;
}

/** Options of a mount for all of its transports. */
export interface MountHandshake extends HandshakeOptions {
  /** Whether clients may send a token, which `connectInfo` then contains. */
  readonly authToken?: boolean;
}

/** The resolved options of one transport of a mount. */
export interface HandshakePolicy {
  readonly origin: OriginPolicy;
  readonly connectInfo: ConnectInfoPlan;
  readonly serializers: SerializerList;
  readonly hasAuthToken: boolean;
  readonly subprotocols: readonly string[] | undefined;
  readonly errorHandler: ErrorHandler | undefined;
}

/** The subprotocol that the official client offers when it sends a token. */
const TOKEN_SUBPROTOCOL = "phoenix";

/** The host of pages during development. */
const DEFAULT_URL_HOST = "localhost";

/**
 * Resolves the options of one transport of a mount.
 *
 * @param path - the mount's path, for error messages
 * @throws SIM_ERR_DEFINITION_INVALID for options that are invalid or contradict each other,
 *   SIM_ERR_OPTION_INVALID for invalid session options
 */
export function handshakePolicyOf(
  path: string,
  endpoint: EndpointHandshake,
  mount: MountHandshake,
  transport: HandshakeOptions,
): HandshakePolicy {
  const { urlHost = DEFAULT_URL_HOST } = endpoint;
  const { authToken = false } = mount;
  const given = { ...givenOf(endpoint), ...givenOf(mount), ...givenOf(transport) };
  const { checkOrigin = true, checkCsrf = true, connectInfo = [] } = given;
  const { serializers, subprotocols, errorHandler } = given;
  checkBoolean(`checkCsrf of ${path}`, checkCsrf);
  checkBoolean(`authToken of ${path}`, authToken);
  checkUrlHost(urlHost);
  if (checkOrigin === false && !checkCsrf) {
    throw invalid(`checkOrigin or checkCsrf of ${path} must be on, got false for both`);
  }
  if (subprotocols !== undefined) checkSubprotocols(`subprotocols of ${path}`, subprotocols);
  checkCallbacks(given, { optional: ["errorHandler"], owner: path });
  return {
    origin: new OriginPolicy(`checkOrigin of ${path}`, checkOrigin, urlHost),
    connectInfo: new ConnectInfoPlan(
      `connectInfo of ${path}`,
      withAuthToken(connectInfo, authToken),
      checkCsrf,
    ),
    serializers: serializersOf(`serializers of ${path}`, serializers),
    hasAuthToken: authToken,
    subprotocols: servedSubprotocols(subprotocols, authToken),
    errorHandler,
  };
}

function givenOf(options: HandshakeOptions): HandshakeOptions {
  const given = HANDSHAKE_KEYS.filter((key) => options[key] !== undefined);
  return Object.fromEntries(given.map((key) => [key, options[key]]));
}

function servedSubprotocols(
  own: readonly string[] | undefined,
  hasAuthToken: boolean,
): readonly string[] | undefined {
  return hasAuthToken ? [TOKEN_SUBPROTOCOL, ...(own ?? [])] : own && [...own];
}

function withAuthToken(asked: ConnectInfoRequest, hasAuthToken: boolean): ConnectInfoRequest {
  // If `connectInfo` is not a list, the plan throws.
  return hasAuthToken && Array.isArray(asked) ? [...asked, "authToken"] : asked;
}

function checkUrlHost(urlHost: unknown): void {
  if (urlHost === null) return;
  if (typeof urlHost === "string" && /^[^\s/:]+$/.test(urlHost)) {
    checkBrowserHost("urlHost must be a host", urlHost, `got ${shown(urlHost)}`);
    return;
  }
  throw invalid(`urlHost must be a host without scheme and port, or null, got ${shown(urlHost)}`);
}
