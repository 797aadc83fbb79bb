/**
 * The socket of the conformance app: refuses, throws or accepts, depending on its parameters.
 *
 * Runs on: a shard.
 */
import { defineSocket, error, ok } from "../../../src/index.ts";
import type { RequestUri } from "../../../src/raw.ts";

/** The information about clients that every mount passes to the socket. */
export const CLIENT_INFO = ["peerData", "xHeaders", "uri", "userAgent"] as const;

const DEFAULT_PORT = 80;

/** The socket behind every mount. Joins are serial, as in Phoenix: a slow join blocks its connection. */
export const userSocket = defineSocket({
  joins: "serial",
  connect({ params, connectInfo }) {
    if (params["token"] === "deny") return error();
    if (params["reject"] !== undefined) return error({ reason: params["reject"] });
    if (params["boom"] !== undefined) throw new Error("connect was asked to throw");
    const userId = params["user_id"];
    const { uri, peerData, xHeaders = [], userAgent = null, authToken = null } = connectInfo;
    const client = kept(
      JSON.stringify({
        params,
        uri: uri && textOf(uri),
        // Phoenix shows the certificate of the client, or in Elixir's notation that there is none.
        peer: peerData && { address: peerData.address, ssl: "nil" },
        x_headers: xHeaders,
        ua: userAgent,
        auth_token: authToken,
      }),
    );
    return ok({ userId: typeof userId === "string" ? userId : null, client });
  },
  id: ({ assigns }) => (assigns.userId === null ? null : `users:${assigns.userId}`),
});

/** The text of the last client. */
let lastClient = "";

/**
 * Returns a text that a connection keeps. Successive clients mostly have the same text, so one string is
 * shared by all of them.
 */
function kept(client: string): string {
  if (client !== lastClient) lastClient = client;
  return lastClient;
}

/** Formats a URI as Elixir does: with the port unless it is the scheme's default, and always with a query. */
function textOf({ scheme, host, port, path, query }: RequestUri): string {
  return `${scheme}://${host}${port === DEFAULT_PORT ? "" : `:${port}`}${path}?${query}`;
}

/** Returns the response of `/custom` if `connect` refuses with a reason. */
export function answerTo(refusal: unknown): { status: number; body: string } {
  const { reason } = refusal as { readonly reason: unknown };
  if (reason === "rate_limit") return { status: 429, body: "Too many requests" };
  return { status: 403, body: String(reason) };
}
