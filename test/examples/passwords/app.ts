import { defineChannel, defineEndpoint, defineSocket, error, ok, typed } from "simurgh";
import { Token } from "simurgh/token";
import type { ShardContext } from "simurgh";
import type tasks from "./tasks.ts";

/** Hashes by user, passed in by the host. A real application has them in a database. */
type Accounts = Readonly<Record<string, string>>;

interface Login {
  readonly user: string;
  readonly password: string;
}

/** The hash of no password, so that checking an unknown user takes as long as a known one. */
const NOBODY = `${"00".repeat(16)}:${"00".repeat(32)}`;

const visitor = defineSocket({ connect: () => ok({}) });

const signIn = defineChannel(visitor, {
  tasks: typed<typeof tasks>(),
  in: { login: typed<Login>() },
  join: () => ok(),
  handleIn: {
    async login(socket, login) {
      if (!isLogin(login)) return error({ reason: "invalid" });
      const { user, password } = login;
      const hash = hashOf(socket.context, user);
      try {
        // The shard is free meanwhile. If the client leaves, the task ends.
        if (!(await socket.task("verify", { password, hash }))) return error({ reason: "wrong" });
      } catch (failure) {
        const isFull = (failure as { code?: string }).code === "SIM_ERR_TASK_QUEUE_FULL";
        if (isFull) return error({ reason: "busy" });
        throw failure;
      }
      return ok({ token: Token.sign(socket.context.secretKeyBase, "user auth", user) });
    },
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket: visitor, channels: { "sign-in": signIn } } },
  tasks: new URL("./tasks.js", import.meta.url),
  routes: {
    // Returns a hash for the database. If the page is closed, the task ends.
    async "POST /hash"(request, context) {
      const password = Buffer.from(await request.body()).toString("utf8");
      const { signal } = request;
      return { status: 200, body: String(await context.task("hash", password, { signal })) };
    },
  },
});

function hashOf({ data }: ShardContext, user: string): string {
  const accounts = data as Accounts;
  return (Object.hasOwn(accounts, user) ? accounts[user] : undefined) ?? NOBODY;
}

// A schema could do this instead.
function isLogin(given: unknown): given is Login {
  const { user, password } = Object(given) as Partial<Record<keyof Login, unknown>>;
  return typeof user === "string" && typeof password === "string" && password.length <= 256;
}
