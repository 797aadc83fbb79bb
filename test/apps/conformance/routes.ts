/**
 * The HTTP routes of the conformance app, by which a test broadcasts and disconnects from outside.
 *
 * Runs on: the shard that serves the request.
 */

import type { RouteRequest, RouteResponse, ShardContext } from "../../../src/index.ts";

function payloadOf(contentType: string | undefined, body: Uint8Array): unknown {
  if (contentType === "application/octet-stream") return body;
  return body.byteLength === 0 ? {} : JSON.parse(Buffer.from(body).toString("utf8"));
}

/** Broadcasts the body of the request, JSON or bytes, to the topic in the query. */
export async function publish(request: RouteRequest, ctx: ShardContext): Promise<RouteResponse> {
  const { topic, event } = request.query;
  if (topic === undefined || event === undefined)
    return { status: 400, body: "topic and event must be given" };
  ctx.broadcast(topic, event, payloadOf(request.header("content-type"), await request.body()));
  return { status: 200, body: "ok" };
}

/** Closes all connections of a user. */
export function disconnect(request: RouteRequest, ctx: ShardContext): RouteResponse {
  const userId = request.query["user_id"];
  if (userId === undefined) return { status: 400, body: "user_id must be given" };
  ctx.disconnect(`users:${userId}`);
  return { status: 200, body: "ok" };
}
