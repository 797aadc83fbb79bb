/**
 * The steps from a request to a WebSocket, in the order of Phoenix.
 *
 *   draining -> method -> parameters -> origin -> auth token -> subprotocol -> pause and places of the address
 *          -> version and connect -> upgrade headers -> 101
 *
 * The engine calls `upgrade` for requests with a key of 24 characters, and `any` for all others. Both
 * call this file, so that the checks and their answers are the same for all requests.
 *
 * Runs on: shard.
 * Full: a shard that drains answers 503, also on kept-alive connections. A client whose address has all
 *       connections that it may have gets 429. While too many requests wait for `connect`, further ones get 503.
 */

import { COUNTER } from "../../memory/counters-layout.ts";
import type { Counters } from "../../memory/counters.ts";
import type { Decision } from "../../socket/connect.ts";
import type { Params } from "../../socket/connect-request.ts";
import type { AnyIdentity } from "../../socket/identity.ts";
import type { AddressPlace, AddressPlaces } from "../../limits/address-places.ts";
import {
  addressFullAnswer,
  limitedAnswer,
  plainAnswer,
  prepareAnswer,
  sendAnswer,
  unavailableAnswer,
  type PreparedAnswer,
} from "../http/answer.ts";
import { inClosePhase } from "../engine/close-phase.ts";
import { tryTakeAuthToken } from "../handshake/auth-token.ts";
import type { EngineResponse, UpgradeContext } from "../engine/app-port.ts";
import type { ConnectionSet } from "../connection-set.ts";
import type { Handshake } from "../handshake/handshake.ts";
import {
  headerOf,
  headersOf,
  listOf,
  type HeadWants,
  type RequestHead,
} from "../http/request-head.ts";
import { chooseSubprotocol, SUBPROTOCOL_HEADER } from "../handshake/subprotocols.ts";
import type { TcpConnections } from "../tcp-connections.ts";
import type { WebSocketConnection } from "./websocket-connection.ts";

/** The upgrades of a mount. */
export interface Upgrades {
  readonly handshake: Handshake;
  readonly connections: ConnectionSet<WebSocketConnection>;
  readonly tcp: Pick<TcpConnections, "requested" | "answered" | "upgraded">;
  /** Undefined if connections per address are not limited. */
  readonly places: AddressPlaces | undefined;
  readonly counters: Pick<Counters, "add">;
  /** Creates the connection, just before the 101. It holds the place from then on. */
  readonly accept: (
    identity: AnyIdentity,
    place: AddressPlace | undefined,
    peerAddress: string,
  ) => void;
  /** Opens that connection, just after the 101. */
  readonly opened: () => void;
}

/** A request for a WebSocket. */
export interface UpgradeRequest {
  readonly response: EngineResponse;
  readonly head: RequestHead;
  /** Whether it has a body larger than any may be. */
  readonly isLong: boolean;
  /** Whether the engine's callback for the request has returned. */
  readonly isLate: boolean;
}

/** A request that is being handled. */
interface Upgrade {
  readonly response: EngineResponse;
  /** Whether the engine's callback for the request has returned, so that an answer must be corked. */
  readonly isLate: boolean;
  readonly head: RequestHead;
  /** The engine's context; undefined if the request has no valid key. */
  readonly context: UpgradeContext | undefined;
  readonly mount: Upgrades;
  /** The chosen name, or "". */
  readonly subprotocol: string;
  /** The place of the client's address, if those are limited. */
  readonly place: AddressPlace | undefined;
}

/** The engine copies its data to the WebSocket's object property by property, which is slow. We set ours on `open`. */
const NO_DATA: object = Object.freeze({});
const ignore = (): void => {};
const KEY_LENGTH = 24;
const VERSION = "13";
const EXTENSIONS_HEADER = "sec-websocket-extensions";
const HEADERS = [
  "connection",
  "upgrade",
  "sec-websocket-key",
  "sec-websocket-version",
  EXTENSIONS_HEADER,
];

/** Returns the parts of a head that an upgrade needs. */
export function upgradeWants(handshake: Handshake): HeadWants {
  const isOffered = handshake.policy.subprotocols !== undefined;
  return handshake.wants(isOffered ? [...HEADERS, SUBPROTOCOL_HEADER] : HEADERS);
}

/**
 * Handles a request for a WebSocket.
 *
 * @param context - undefined if the request has no valid key
 */
export function handleUpgrade(
  { response, head: givenHead, isLong, isLate }: UpgradeRequest,
  context: UpgradeContext | undefined,
  mount: Upgrades,
): void {
  const { handshake, connections } = mount;
  if (connections.isDraining) {
    answer({ response, isLate }, unavailableAnswer(), true);
    return;
  }
  const refuse = (status: number): void =>
    answer({ response, isLate }, plainAnswer(status), isLong);
  if (isLong) return refuse(400);
  // The engine aborts the process if a request is neither answered nor has this when its callback returns. Main may end
  // the user code that is called from here (`shard/forced-end`).
  if (!isLate) response.onAborted(ignore);
  const params = givenHead.method === "GET" ? handshake.tryParams(givenHead) : undefined;
  if (!params) return refuse(400);
  const verdict = handshake.checkOrigin(givenHead);
  if (verdict !== "allowed") return refuse(verdict === "refused" ? 403 : 500);
  const { hasAuthToken } = handshake.policy;
  const taken = hasAuthToken ? tryTakeAuthToken(givenHead) : { token: null, head: givenHead };
  if (!taken) {
    handshake.logger.log("authTokenInvalid", { path: handshake.path });
    return refuse(500);
  }
  const { head, token } = taken;
  const subprotocol = subprotocolOf(head, handshake);
  if (subprotocol === undefined) return refuse(403);
  takePlace({ response, isLate, head, context, mount, subprotocol }, params, token);
}

/** Takes a place of the client's address, if it may connect and those are limited, and lets the socket decide. */
function takePlace(given: Omit<Upgrade, "place">, params: Params, token: string | null): void {
  const { mount, head } = given;
  const pauseMs = mount.handshake.pauseMs(head);
  if (pauseMs > 0) {
    mount.counters.add(COUNTER.floodPaused);
    answer(given, limitedAnswer(pauseMs));
    return;
  }
  const place = mount.places?.tryTake(head.peerAddress);
  if (mount.places && !place) {
    answer(given, addressFullAnswer());
    return;
  }
  const upgrade = { ...given, place };
  const decision = mount.handshake.decide(head, params, token);
  if (decision instanceof Promise) void finishLater(upgrade, decision);
  else finish(upgrade, decision);
}

function subprotocolOf(head: RequestHead, handshake: Handshake): string | undefined {
  const { policy, path, logger } = handshake;
  const offered = headerOf(head, SUBPROTOCOL_HEADER);
  const chosen = chooseSubprotocol(offered, policy.subprotocols);
  if (chosen === undefined) logger.log("subprotocolRefused", { path, served: policy.subprotocols });
  return chosen;
}

async function finishLater(given: Upgrade, decision: Promise<Decision>): Promise<void> {
  const upgrade = { ...given, isLate: true };
  const { response, mount } = upgrade;
  let isAborted = false;
  mount.tcp.requested();
  response.onAborted(() => {
    isAborted = true;
    mount.tcp.answered();
    releasePlace(upgrade);
  });
  const settled = await decision;
  if (isAborted) return;
  const outcome = outcomeOf(upgrade, settled);
  if ("identity" in outcome) {
    mount.tcp.answered();
    accept(upgrade, outcome);
    return;
  }
  inClosePhase(() => {
    if (isAborted) return;
    mount.tcp.answered();
    sendRefusal(upgrade, outcome);
  });
}

function finish(upgrade: Upgrade, decision: Decision): void {
  const outcome = outcomeOf(upgrade, decision);
  if ("identity" in outcome) accept(upgrade, outcome);
  else sendRefusal(upgrade, outcome);
}

function releasePlace({ mount, place }: Upgrade): void {
  if (place) mount.places?.release(place);
}

/** A connection that is opened. */
interface Accepted {
  readonly identity: AnyIdentity;
  readonly context: UpgradeContext;
}

/** The answer to a request that does not become a WebSocket. */
interface Refused {
  readonly answer: PreparedAnswer;
  readonly isLast: boolean;
}

function outcomeOf({ head, context, mount }: Upgrade, decision: Decision): Accepted | Refused {
  if (decision.result !== "ok") {
    return { answer: refusalOf(decision, mount.handshake), isLast: false };
  }
  // The drain may have started while `connect` was running.
  if (mount.connections.isDraining) return { answer: unavailableAnswer(), isLast: true };
  const problem = upgradeProblem(head);
  if (problem !== undefined || context === undefined) {
    return { answer: plainAnswer(400, problem), isLast: false };
  }
  return { identity: decision.identity, context };
}

function sendRefusal(upgrade: Upgrade, refused: Refused): void {
  releasePlace(upgrade);
  answer(upgrade, refused.answer, refused.isLast);
}

function answer(
  { response, isLate }: Pick<Upgrade, "response" | "isLate">,
  prepared: PreparedAnswer,
  isLast = false,
): void {
  if (isLate) response.cork(() => sendAnswer(response, prepared, isLast));
  else sendAnswer(response, prepared, isLast);
}

/**
 * Upgrades the connection.
 *
 * After the engine's callback for the request has returned, an upgrade must not run within the response's own cork.
 * After the cork, the engine reads memory that it assumes to be the request's state (uWebSockets pull request 1929, which
 * our version does not have). The upgrade has freed that memory, and the engine may close the connection by what it finds
 * there, such as the first one of a thread whose `connect` has awaited a `fetch`. It does not read the state while
 * another socket is corked, so we cork another one around it. If there is no other connection, we upgrade without a cork,
 * and the engine's binding warns. In both cases the 101 takes about twenty system calls and as many packets.
 */
function accept(upgrade: Upgrade, { identity, context }: Accepted): void {
  const { response, isLate, head, mount, subprotocol, place } = upgrade;
  const key = headerOf(head, "sec-websocket-key") ?? "";
  const extensions = headerOf(head, EXTENSIONS_HEADER) ?? "";
  const work = (): void => response.upgrade(NO_DATA, key, subprotocol, extensions, context);
  mount.tcp.upgraded();
  mount.accept(identity, place, head.peerAddress);
  const [another] = isLate ? mount.connections : [];
  if (another) another.cork(() => response.cork(work));
  else work();
  mount.opened();
}

type NoConnection = Exclude<Decision, { readonly result: "ok" }>;

function refusalOf(decision: NoConnection, { policy, path, logger }: Handshake): PreparedAnswer {
  if (decision.result === "failed") return plainAnswer(500);
  if (decision.result === "limited") return limitedAnswer(decision.retryAfterMs);
  if (decision.result === "unavailable") return unavailableAnswer();
  const { errorHandler } = policy;
  if (!errorHandler || decision.reason === undefined) return plainAnswer(403);
  try {
    return prepareAnswer("errorHandler", errorHandler(decision.reason));
  } catch (error) {
    logger.log("errorHandlerFailed", { path, err: error });
    return plainAnswer(500);
  }
}

/** Returns why a request is not a valid upgrade (RFC 6455 §4.2.1), or undefined if it is. */
function upgradeProblem(head: RequestHead): string | undefined {
  return (
    missingToken(head, "connection", "upgrade") ??
    missingToken(head, "upgrade", "websocket") ??
    keyProblem(headerOf(head, "sec-websocket-key")) ??
    versionProblem(headersOf(head, "sec-websocket-version"))
  );
}

function missingToken(head: RequestHead, name: string, token: string): string | undefined {
  if (headerOf(head, name)?.toLowerCase() === token) return undefined;
  const values = headersOf(head, name);
  const tokens = values.flatMap(listOf).map((value) => value.toLowerCase());
  if (tokens.includes(token)) return undefined;
  return `'${name}' header must contain '${token}', got ${JSON.stringify(values)}`;
}

function keyProblem(key: string | undefined): string | undefined {
  if (key?.length === KEY_LENGTH) return undefined;
  return "'sec-websocket-key' header must be 16 bytes in base64";
}

function versionProblem(versions: readonly string[]): string | undefined {
  if (versions.length === 1 && versions[0] === VERSION) return undefined;
  const got = JSON.stringify(versions);
  return `'sec-websocket-version' header must equal '${VERSION}', got ${got}`;
}
