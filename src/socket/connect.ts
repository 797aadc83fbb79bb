/**
 * Decides whether a client may connect by checking the protocol version and then calling the user's
 * `connect` and `id`.
 *
 * Raw sockets have no versions; their protocol is up to user code.
 *
 * Runs on: shard.
 * Full: a `connect` that does not settle within `handlerTimeoutMs` fails, and its result is ignored. While
 *       `maxPendingConnects` requests wait, further ones are refused.
 */

import { kindOf } from "../errors.ts";
import { isThenable, settledInTime } from "../callbacks/promises.ts";
import type { ShardContext } from "../channel/context.ts";
import { NO_REASON, OkUntil, Reply } from "../callbacks/results.ts";
import type { Logger } from "../log/logger.ts";
import type { Serializer } from "../protocol/serializer.ts";
import { telemetry } from "../telemetry.ts";
import { REASON } from "../protocol/reserved.ts";
import { DEFAULT_VSN, negotiate, type SerializerList } from "../protocol/version.ts";
import type { ConnectInfo, Params } from "./connect-request.ts";
import type { AnyIdentity, Identity, RawIdentity } from "./identity.ts";
import type { PendingConnects } from "./pending-connects.ts";
import { isRawMount, type AnyMount, type RawSocketMount, type SocketMount } from "./mount.ts";

/** The decision on a request to connect. */
export type Decision =
  | { readonly result: "ok"; readonly identity: AnyIdentity }
  /**
   * The reason passed to `error(reason)`; undefined if none was passed, or if user code did not
   * refuse.
   */
  | { readonly result: "refused"; readonly reason: unknown }
  /** Refused by a rate limit; the request would pass after this time. */
  | { readonly result: "limited"; readonly retryAfterMs: number }
  /** Too many requests wait for `connect`. */
  | { readonly result: "unavailable" }
  | { readonly result: "failed" };

/** A request to connect. */
export interface ConnectCall {
  readonly mount: AnyMount;
  /** Serializers of the mount's transport. Raw sockets do not use them. */
  readonly serializers: SerializerList;
  readonly transport: string;
  readonly params: Params;
  readonly connectInfo: ConnectInfo;
  /** Null if the transport does not know the address. */
  readonly peerAddress: string | null;
  readonly context: ShardContext;
  readonly pending: PendingConnects;
}

/**
 * Creates an identity from the payload of `connect`. If `id` is invalid, logs that and returns
 * undefined.
 */
type Identify = (payload: unknown) => AnyIdentity | undefined;

/**
 * Decides on a request. Never throws: an exception in user code is logged, and the result is
 * `failed`.
 */
export function decide(call: ConnectCall, logger: Logger): Decision | Promise<Decision> {
  const { mount } = call;
  if (isRawMount(mount)) {
    return decideBy(call, logger, (state) => identifyRaw(mount, state, logger));
  }
  const limited = limitedBy(mount, call, logger);
  if ("result" in limited) return limited;
  const { address } = limited;
  const serializer = negotiate(call.params["vsn"] ?? DEFAULT_VSN, call.serializers);
  if (!serializer) {
    logger.log("versionInvalid", { vsn: call.params["vsn"], path: mount.path });
    return { result: "refused", reason: undefined };
  }
  return decideBy(call, logger, (payload) => identify(mount, serializer, payload, address, logger));
}

/**
 * Returns the address for a client's limits, or a decision to refuse the client if it connects too
 * often.
 */
function limitedBy(
  { limiter, path }: SocketMount,
  { params, connectInfo, context, transport, peerAddress }: ConnectCall,
  logger: Logger,
): { readonly address: string | null } | Decision {
  if (!limiter) return { address: null };
  try {
    const request = { params, connectInfo, context, transport };
    const address = limiter.addressOf(request, peerAddress);
    const retryAfterMs = limiter.connectFrom(address);
    return retryAfterMs > 0 ? { result: "limited", retryAfterMs } : { address };
  } catch (error) {
    logger.log("connectFailed", { path, err: error });
    return { result: "failed" };
  }
}

function decideBy(
  call: ConnectCall,
  logger: Logger,
  identified: Identify,
): Decision | Promise<Decision> {
  const { mount, params, connectInfo, context, transport, pending } = call;
  if (!pending.hasRoom) return { result: "unavailable" };
  const startedMs = performance.now();
  const failed = (error: unknown): Decision => {
    logger.log("connectFailed", { path: mount.path, err: error });
    return { result: "failed" };
  };
  const settled = (result: unknown): Decision => {
    try {
      const decision = decisionOf(mount, result, identified, logger);
      const vsn = params["vsn"] ?? DEFAULT_VSN;
      reportConnected(call, decision, vsn, startedMs, logger);
      return decision;
    } catch (error) {
      return failed(error);
    }
  };
  try {
    const result = mount.definition.connect({ params, connectInfo, context, transport });
    if (!isThenable(result)) return settled(result);
    const inTime = settledInTime(result, mount.handlerTimeoutMs).then(settled, failed);
    return pending.until(inTime);
  } catch (error) {
    return failed(error);
  }
}

function decisionOf(
  mount: AnyMount,
  result: unknown,
  identified: Identify,
  logger: Logger,
): Decision {
  if (result instanceof OkUntil) {
    const { payload, expiresAtMs } = result;
    // The token expired while it was being checked.
    if (isPast(expiresAtMs)) return { result: "refused", reason: { reason: REASON.expired } };
    return accepted(mount, identified(payload), expiresAtMs);
  }
  if (!(result instanceof Reply) || (result.status !== "ok" && result.status !== "error")) {
    logger.log("connectInvalid", { path: mount.path, from: "connect", got: kindOf(result) });
    return { result: "refused", reason: undefined };
  }
  if (result.status === "error") {
    return { result: "refused", reason: result.payload === NO_REASON ? undefined : result.payload };
  }
  return accepted(mount, identified(result.payload), undefined);
}

function accepted(
  mount: AnyMount,
  identity: AnyIdentity | undefined,
  expiresAtMs: number | undefined,
): Decision {
  if (!identity) return { result: "refused", reason: undefined };
  const retryAfterMs = isRawMount(mount) ? 0 : (mount.limiter?.connectAs(identity.id) ?? 0);
  if (retryAfterMs > 0) return { result: "limited", retryAfterMs };
  if (expiresAtMs === undefined) return { result: "ok", identity };
  return { result: "ok", identity: { ...identity, expiresAtMs } };
}

function isPast(expiresAtMs: number | undefined): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= Date.now();
}

function identify(
  mount: SocketMount,
  serializer: Serializer,
  payload: unknown,
  address: string | null,
  logger: Logger,
): Identity | undefined {
  const assigns = assignsOf(payload);
  const id = checkedId(mount, mount.definition.id({ assigns }), logger);
  return id === undefined ? undefined : { mount, serializer, assigns, id, address };
}

/** Returns the payload of `connect`, frozen. If it is empty, all connections share one object. */
export function assignsOf(payload: unknown): object {
  if (typeof payload !== "object" || payload === null) return NO_ASSIGNS;
  const isPlain = Object.getPrototypeOf(payload) === Object.prototype;
  return isPlain && Reflect.ownKeys(payload).length === 0 ? NO_ASSIGNS : Object.freeze(payload);
}

const NO_ASSIGNS: object = Object.freeze({});

function identifyRaw(
  mount: RawSocketMount,
  state: unknown,
  logger: Logger,
): RawIdentity | undefined {
  const id = checkedId(mount, mount.definition.id({ state }), logger);
  return id === undefined ? undefined : { mount, state, id };
}

function checkedId(mount: AnyMount, id: unknown, logger: Logger): string | null | undefined {
  if (id === null || typeof id === "string") return id;
  logger.log("connectInvalid", { path: mount.path, from: "id", got: kindOf(id) });
  return undefined;
}

/** Returns the fields of a log line that say whose connection it is, or why it was refused. */
function whyOf(decision: Decision): object {
  if (decision.result === "ok") return { id: decision.identity.id };
  if (decision.result === "limited") {
    return { reason: REASON.rateLimited, retryAfterMs: decision.retryAfterMs };
  }
  const hasReason = decision.result === "refused" && decision.reason !== undefined;
  return hasReason ? { reason: decision.reason } : {};
}

/** Reports the decision of `connect`. */
function reportConnected(
  call: ConnectCall,
  decision: Decision,
  vsn: unknown,
  startedMs: number,
  logger: Logger,
): void {
  const { mount, transport, params, connectInfo } = call;
  const result = decision.result === "ok" ? "ok" : "error";
  const line = result === "ok" ? "connected" : "refused";
  const durationMs = performance.now() - startedMs;
  const { log } = mount.definition;
  if (logger.takes(line, log)) {
    const version = isRawMount(mount) ? {} : { vsn };
    const fields = { path: mount.path, transport, ...version, ...whyOf(decision) };
    logger.write(line, { ...fields, durationMs, params }, log);
  }
  if (!telemetry.socket_connected.hasSubscribers) return;
  telemetry.socket_connected.publish({ durationMs, transport, params, connectInfo, vsn, result });
}
