/**
 * What a mount's transport asks of clients that connect: as users give it, and ready to be asked.
 *
 * The options of a transport win over those of its mount, and these over the endpoint's.
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
import { OriginPolicy, type CheckOrigin } from "./origin.ts";
import { checkSubprotocols } from "./subprotocols.ts";

/** Answers a client that `connect` refused with a reason; over WebSocket only. */
export type ErrorHandler = (reason: unknown) => RouteResponse;

/** Options of a mount's transport. */
export interface HandshakeOptions {
  /** Which pages may connect; the endpoint's without. */
  readonly checkOrigin?: CheckOrigin;
  /** Whether a session needs a CSRF token; true without. Not both this and `checkOrigin` may be off. */
  readonly checkCsrf?: boolean;
  /** What `connect` is told of a client; nothing without. */
  readonly connectInfo?: ConnectInfoRequest;
  /** Names of subprotocols that a WebSocket may speak, the best first. */
  readonly subprotocols?: readonly string[];
  /**
   * Forms of messages, each with the versions of clients that get it, the first match first; those
   * of Phoenix without. A raw socket has none.
   */
  readonly serializers?: readonly SerializerChoice[];
  /** Makes of the reason of a refusal what a client by WebSocket is answered; 403 without. */
  readonly errorHandler?: ErrorHandler;
}

/** Names of these. */
export const HANDSHAKE_KEYS = [
  "checkOrigin",
  "checkCsrf",
  "connectInfo",
  "serializers",
  "subprotocols",
  "errorHandler",
] as const satisfies readonly (keyof HandshakeOptions)[];

/** What an endpoint says for all of its mounts. */
export interface EndpointHandshake extends Pick<HandshakeOptions, "checkOrigin"> {
  /** Host of the endpoint's own pages; null: any; `localhost` without. */
  readonly urlHost?: string | null;
}

/** What a mount says for all of its transports. */
export interface MountHandshake extends HandshakeOptions {
  /** True: clients may send a token, and `connectInfo` has it. */
  readonly authToken?: boolean;
}

/** The options, ready to be asked. */
export interface HandshakePolicy {
  readonly origin: OriginPolicy;
  readonly connectInfo: ConnectInfoPlan;
  readonly serializers: SerializerList;
  readonly hasAuthToken: boolean;
  readonly subprotocols: readonly string[] | undefined;
  readonly errorHandler: ErrorHandler | undefined;
}

/** Subprotocol of the client that sends a token among its subprotocols. */
const TOKEN_SUBPROTOCOL = "phoenix";

/** Host of pages during development, which are served from the machine that they are written on. */
const DEFAULT_URL_HOST = "localhost";

/**
 * Makes the policy of one transport of a mount.
 *
 * @param path - of the mount, for messages
 * @throws SIM_ERR_DEFINITION_INVALID for options that do not fit together, SIM_ERR_OPTION_INVALID for
 *   options of a session
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
  // What is no list is for the plan to refuse.
  return hasAuthToken && Array.isArray(asked) ? [...asked, "authToken"] : asked;
}

function checkUrlHost(urlHost: unknown): void {
  const isHost = typeof urlHost === "string" && /^[^\s/:]+$/.test(urlHost);
  if (isHost || urlHost === null) return;
  throw invalid(`urlHost must be a host without scheme and port, or null, got ${shown(urlHost)}`);
}
