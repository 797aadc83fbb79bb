/**
 * Decides on a connection: the version it speaks, then the user's `connect` and `id` (WIRE §4.1).
 *
 * Runs on: shard.
 * Full: a `connect` that does not settle within `handlerTimeoutMs` has failed; what it gives later
 *       is ignored.
 */

import { isThenable, settledInTime } from "../channel/async-calls.ts";
import type { ShardContext } from "../channel/context.ts";
import { NO_REASON, Reply } from "../channel/results.ts";
import type { Logger } from "../logger.ts";
import { kindOf } from "../protocol/serializer.ts";
import { DEFAULT_VSN, negotiate } from "../protocol/version.ts";
import { telemetry } from "../telemetry.ts";
import type { ConnectInfo, Params } from "./definition.ts";
import type { SocketMount } from "./mount.ts";
import type { Identity } from "./socket.ts";

/** What became of a request to connect. */
export type Decision =
  | { readonly result: "ok"; readonly identity: Identity }
  /** The reason is that of the user's `error(reason)`; undefined: without one, or not the user's. */
  | { readonly result: "refused"; readonly reason: unknown }
  | { readonly result: "failed" };

/** A request to connect. */
export interface ConnectCall {
  readonly mount: SocketMount;
  readonly transport: string;
  readonly params: Params;
  readonly connectInfo: ConnectInfo;
  readonly context: ShardContext;
}

/** Runs the decision. Never throws: what the user's code throws is logged, and `failed`. */
export function decide(call: ConnectCall, logger: Logger): Decision | Promise<Decision> {
  const serializer = negotiate(call.params["vsn"] ?? DEFAULT_VSN);
  if (!serializer) {
    logger.log("versionInvalid", { vsn: call.params["vsn"], path: call.mount.path });
    return { result: "refused", reason: undefined };
  }
  const startedMs = performance.now();
  const failed = (error: unknown): Decision => {
    logger.log("connectFailed", { path: call.mount.path, err: error });
    return { result: "failed" };
  };
  const settled = (result: unknown): Decision => {
    try {
      const decision = decisionOf(call, result, serializer, logger);
      report(call, decision, startedMs, logger);
      return decision;
    } catch (error) {
      return failed(error);
    }
  };
  try {
    const { params, connectInfo, context } = call;
    const result = call.mount.definition.connect({ params, connectInfo, context });
    if (!isThenable(result)) return settled(result);
    return settledInTime(result, call.mount.connectTimeoutMs).then(settled, failed);
  } catch (error) {
    return failed(error);
  }
}

function decisionOf(
  call: ConnectCall,
  result: unknown,
  serializer: Identity["serializer"],
  logger: Logger,
): Decision {
  const { mount } = call;
  const refused: Decision = { result: "refused", reason: undefined };
  if (!(result instanceof Reply) || (result.status !== "ok" && result.status !== "error")) {
    logger.log("connectInvalid", { path: mount.path, from: "connect", got: kindOf(result) });
    return refused;
  }
  if (result.status === "error") {
    return { result: "refused", reason: result.payload === NO_REASON ? undefined : result.payload };
  }
  const { payload } = result;
  const assigns = Object.freeze(typeof payload === "object" && payload !== null ? payload : {});
  const id = mount.definition.id({ assigns });
  if (id !== null && typeof id !== "string") {
    logger.log("connectInvalid", { path: mount.path, from: "id", got: kindOf(id) });
    return refused;
  }
  return { result: "ok", identity: { mount, serializer, assigns, id } };
}

function report(call: ConnectCall, decision: Decision, startedMs: number, logger: Logger): void {
  const { mount, transport, params, connectInfo } = call;
  const line = decision.result === "ok" ? "connected" : "refused";
  const durationMs = performance.now() - startedMs;
  if (logger.isOn(line)) logger.log(line, { path: mount.path, transport, durationMs });
  if (!telemetry.socket_connected.hasSubscribers) return;
  const result = decision.result === "ok" ? "ok" : "error";
  const vsn = params["vsn"] ?? DEFAULT_VSN;
  telemetry.socket_connected.publish({ durationMs, transport, params, connectInfo, vsn, result });
}
