/**
 * Checks the parameters of a connection against the schema of its socket.
 *
 * Runs on: shard; created with the definition.
 */

import { checkedBy } from "../channel/schemas/payload-check.ts";
import { checksPayloads, isSchema, SCHEMA } from "../channel/schemas/in-handlers.ts";
import { invalid } from "../definition-checks.ts";
import { kindOf } from "../errors.ts";
import type { ConnectRequest } from "./connect-request.ts";

/** The `connect` callback of a socket of either kind. */
export type ConnectCallback = (request: ConnectRequest) => unknown;

/**
 * Returns a `connect` that runs only if the parameters match a schema, and otherwise refuses.
 *
 * @throws SIM_ERR_DEFINITION_INVALID if `params` is not a schema
 */
export function connectOf(connect: ConnectCallback, params: unknown): ConnectCallback {
  if (params === undefined) return connect;
  if (!isSchema(params)) {
    throw invalid(`params must be ${SCHEMA}, got ${kindOf(params)}`);
  }
  if (!checksPayloads(params)) return connect;
  const check = checkedBy(params, "invalid_params");
  return (request) =>
    check(request.params, (parsed) =>
      connect({ ...request, params: parsed as ConnectRequest["params"] }),
    );
}
