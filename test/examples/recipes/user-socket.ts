import { defineSocket, error, ok, typed } from "simurgh";
import type { ContextOf } from "simurgh";

import { Pool } from "./database.ts";

// Runs once in each shard, before it serves. What it returns is added to the shard's context.
export const start = (): { pool: Pool } => ({ pool: new Pool() });

export const userSocket = defineSocket({
  context: typed<ContextOf<typeof start>>(),
  async connect({ params, context }) {
    const { user } = params;
    const userId = user === undefined ? undefined : await context.pool.idOf(user);
    return user === undefined || userId === undefined ? error() : ok({ user, userId });
  },
  // Of all connections of a user: server.disconnect("users:1") closes them.
  id: ({ assigns }) => `users:${assigns.userId}`,
});
