/**
 * What a mount's transport asks of those who connect: as users give it, and ready to be asked.
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

/** Answers where `connect` refused with a reason; by WebSocket only. */
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

/** What all transports of an endpoint, or of a mount, have in common. */
export interface HandshakeDefaults {
  readonly checkOrigin: CheckOrigin;
  /** Host of the endpoint's own pages; null: any. */
  readonly urlHost: string | null;
  /** True: clients may send a token, and `connectInfo` has it. */
  readonly authToken: boolean;
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

/**
 * Makes a policy of the options at a path.
 *
 * @param path - for messages
 * @throws SIM_ERR_DEFINITION_INVALID, or SIM_ERR_OPTION_INVALID for a session, where they cannot be
 */
export function makeHandshakePolicy(
  path: string,
  options: HandshakeOptions,
  defaults: HandshakeDefaults,
): HandshakePolicy {
  const { checkOrigin = defaults.checkOrigin, checkCsrf = true } = options;
  const { connectInfo = [], serializers, subprotocols, errorHandler } = options;
  checkBoolean(`checkCsrf of ${path}`, checkCsrf);
  checkBoolean(`authToken of ${path}`, defaults.authToken);
  checkUrlHost(defaults.urlHost);
  if (checkOrigin === false && !checkCsrf) {
    throw invalid(`checkOrigin or checkCsrf of ${path} must be on, got false for both`);
  }
  if (subprotocols !== undefined) checkSubprotocols(`subprotocols of ${path}`, subprotocols);
  checkCallbacks(options, { optional: ["errorHandler"], owner: path });
  const own = subprotocols && [...subprotocols];
  return {
    origin: new OriginPolicy(`checkOrigin of ${path}`, checkOrigin, defaults.urlHost),
    connectInfo: new ConnectInfoPlan(
      `connectInfo of ${path}`,
      withAuthToken(connectInfo, defaults.authToken),
      checkCsrf,
    ),
    serializers: serializersOf(`serializers of ${path}`, serializers),
    hasAuthToken: defaults.authToken,
    subprotocols: defaults.authToken ? [TOKEN_SUBPROTOCOL, ...(own ?? [])] : own,
    errorHandler,
  };
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
