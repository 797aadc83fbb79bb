import { defineSocket, error, ok } from "simurgh";
import { Token } from "simurgh/token";

export const userSocket = defineSocket({
  connect({ params, context }) {
    const { secretKeyBase } = context;
    const user = Token.verify(secretKeyBase, "user auth", params["token"], {
      maxAgeMs: 1_209_600_000,
    });
    if (!user.ok) return error({ reason: user.reason });
    return typeof user.data === "number" ? ok({ userId: user.data }) : error();
  },
  id: ({ assigns }) => `users:${assigns.userId}`,
});
