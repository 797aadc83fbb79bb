import { defineChannel, defineEndpoint, defineSocket, error, ok } from "simurgh";
import { verifyJwt } from "simurgh/token";
import type { JwtResult } from "simurgh/token";

const issuer = process.env["ISSUER"] ?? "https://id.example.com";
const jwksUrl = `${issuer}/.well-known/jwks.json`;

/** Verifies a token, for `connect` and for renewals. */
function verified(token: unknown): Promise<JwtResult> {
  return verifyJwt(token, { jwksUrl, issuer, audience: "chat", requiredClaims: ["exp", "sub"] });
}

const userSocket = defineSocket({
  async connect({ params }) {
    const token = await verified(params["token"]);
    if (!token.ok) return error({ reason: token.reason });
    return ok({ user: token.claims.sub }, token); // The connection ends when the token expires.
  },
  id: ({ assigns }) => `users:${assigns.user}`,
  expiringMs: 30_000,
});

/** Each client joins this channel once. It is warned here before its token expires, and sends a new one. */
const session = defineChannel(userSocket, {
  join: (socket) => ok({ user: socket.assigns.user }),
  expiring: (socket, leftMs) => socket.push("expiring", { left_ms: leftMs }),
  handleIn: {
    async renew(socket, { token }: { token?: unknown }) {
      const fresh = await verified(token);
      if (!fresh.ok) return error({ reason: fresh.reason });
      const isRenewed = socket.renew({ user: fresh.claims.sub }, fresh);
      return isRenewed ? ok() : error({ reason: "another user" });
    },
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { session }, longpoll: true } },
});
