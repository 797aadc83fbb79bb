/**
 * The one socket of the conformance app: refuses, throws or accepts as its parameters say.
 *
 * Runs on: a shard.
 */
import { defineSocket, error, ok } from "../../../src/index.ts";

/** The socket behind every mount. Joins are serial, as in Phoenix: a slow join blocks its connection. */
export const userSocket = defineSocket({
  joins: "serial",
  connect({ params, connectInfo }) {
    if (params["token"] === "deny") return error();
    if (params["reject"] !== undefined) return error({ reason: params["reject"] });
    if (params["boom"] !== undefined) throw new Error("connect was asked to throw");
    const userId = params["user_id"];
    const { uri, peer, xHeaders, userAgent } = connectInfo;
    const client = { params, uri, peer, x_headers: xHeaders, ua: userAgent, auth_token: null };
    return ok({ userId: typeof userId === "string" ? userId : null, client });
  },
  id: ({ assigns }) => (assigns.userId === null ? null : `users:${assigns.userId}`),
});
