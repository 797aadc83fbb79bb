/**
 * The way from a request to a WebSocket, in the order of WIRE §2.2.
 *
 *   method -> parameters -> version and connect -> upgrade headers -> 101
 *
 * The engine calls `upgrade` for a request with a key of 24 characters and `any` for all others;
 * both come here, so that every request gets the same answers in the same order.
 *
 * Runs on: shard.
 */

import type { ShardContext } from "../channel/context.ts";
import type { Logger } from "../logger.ts";
import { decide, type Decision } from "../socket/connect.ts";
import type { Params } from "../socket/definition.ts";
import type { SocketMount } from "../socket/mount.ts";
import type { Identity } from "../socket/socket.ts";
import type { HttpResponse, UpgradeContext } from "./engine-types.ts";
import { parseQuery } from "./query.ts";
import { connectInfoOf, type RequestHead } from "./request-head.ts";

/** What an upgrade needs of the transport. */
export interface UpgradeParts {
  readonly mount: SocketMount;
  readonly context: ShardContext;
  readonly logger: Logger;
  /** Makes the WebSocket's data; called just before the 101. */
  readonly accept: (identity: Identity) => object;
}

/** Answers a request for a WebSocket. `upgradeContext` is absent where the engine saw no key. */
export function handleUpgrade(
  response: HttpResponse,
  head: RequestHead,
  upgradeContext: UpgradeContext | undefined,
  parts: UpgradeParts,
): void {
  if (head.method !== "GET") {
    answer(response, "400 Bad Request");
    return;
  }
  const query = parseQuery(head.query);
  if (!query) {
    answer(response, "400 Bad Request");
    return;
  }
  const params = Object.assign(query, head.pathParams) as Params;
  const { mount, context, logger } = parts;
  const connectInfo = connectInfoOf(head);
  const decision = decide({ mount, transport: "websocket", params, connectInfo, context }, logger);
  if (!(decision instanceof Promise)) {
    finish(response, head, upgradeContext, parts, decision);
    return;
  }
  void finishLater(response, head, upgradeContext, parts, decision);
}

async function finishLater(
  response: HttpResponse,
  head: RequestHead,
  upgradeContext: UpgradeContext | undefined,
  parts: UpgradeParts,
  decision: Promise<Decision>,
): Promise<void> {
  let isAborted = false;
  response.onAborted(() => {
    isAborted = true;
  });
  const settled = await decision;
  if (!isAborted) response.cork(() => finish(response, head, upgradeContext, parts, settled));
}

function finish(
  response: HttpResponse,
  head: RequestHead,
  upgradeContext: UpgradeContext | undefined,
  parts: UpgradeParts,
  decision: Decision,
): void {
  if (decision.result !== "ok") {
    const isFailed = decision.result === "failed";
    answer(response, isFailed ? "500 Internal Server Error" : "403 Forbidden");
    return;
  }
  const problem = upgradeProblem(head.headers);
  if (problem !== undefined || upgradeContext === undefined) {
    answer(response, "400 Bad Request", problem);
    return;
  }
  response.upgrade(
    parts.accept(decision.identity),
    head.headers.get("sec-websocket-key") ?? "",
    "",
    head.headers.get("sec-websocket-extensions") ?? "",
    upgradeContext,
  );
}

/** Says what keeps a request from being an upgrade (RFC 6455 §4.2.1); undefined: nothing. */
function upgradeProblem(headers: ReadonlyMap<string, string>): string | undefined {
  if (!hasToken(headers.get("upgrade"), "websocket")) {
    return "'upgrade' header must contain 'websocket'";
  }
  if (!hasToken(headers.get("connection"), "upgrade")) {
    return "'connection' header must contain 'upgrade'";
  }
  if (headers.get("sec-websocket-key")?.length !== 24) {
    return "'sec-websocket-key' header must be 16 bytes in base64";
  }
  if (headers.get("sec-websocket-version") !== "13") {
    return "'sec-websocket-version' header must equal '13'";
  }
  return undefined;
}

function hasToken(header: string | undefined, token: string): boolean {
  return header?.split(",").some((part) => part.trim().toLowerCase() === token) ?? false;
}

function answer(response: HttpResponse, status: string, body = ""): void {
  response.writeStatus(status);
  if (body !== "") response.writeHeader("content-type", "text/plain; charset=utf-8");
  response.end(body);
}
