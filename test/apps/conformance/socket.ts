/**
 * The one socket of the conformance app: refuses, throws or accepts as its parameters say.
 *
 * Runs on: a shard.
 */
import { defineSocket, error, ok } from "../../../src/index.ts";
import type { RequestUri } from "../../../src/raw.ts";

/** What every mount tells the socket of its clients. */
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
        // Phoenix shows the certificate of a client, as its language writes that there is none.
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

/** What the last client told. */
let lastClient = "";

/**
 * Gives a text to be kept. Every connection keeps one, hardly any asks for it, and clients of one
 * program tell mostly the same: it is kept once.
 */
function kept(client: string): string {
  if (client !== lastClient) lastClient = client;
  return lastClient;
}

/** Writes a URI as Elixir does: with a port that is not the scheme's own, and a query even if it is empty. */
function textOf({ scheme, host, port, path, query }: RequestUri): string {
  return `${scheme}://${host}${port === DEFAULT_PORT ? "" : `:${port}`}${path}?${query}`;
}

/** What `/custom` answers where `connect` refused with a reason. */
export function answerTo(refusal: unknown): { status: number; body: string } {
  const { reason } = refusal as { readonly reason: unknown };
  if (reason === "rate_limit") return { status: 429, body: "Too many requests" };
  return { status: 403, body: String(reason) };
}
