/**
 * Servers of the tests: an app of `test/apps`, on a port of the system's choice, on the loopback only.
 *
 * Runs on: the main thread of the tests, which is the server's main thread as well.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { serve } from "../../src/index.ts";

type ServeOptions = Parameters<typeof serve>[0];
/** A running server. */
export type Server = Awaited<ReturnType<typeof serve>>;

/** `secret_key_base` of the recorded Phoenix. */
export const SECRET_KEY_BASE = "abcdefgh".repeat(8);

/**
 * Serves an app of `test/apps`.
 *
 * @param app - name of its file, without the ending
 */
export function startServer(app: string, options: Omit<ServeOptions, "app"> = {}): Promise<Server> {
  return serve({
    app: new URL(`../apps/${app}.js`, import.meta.url),
    host: "127.0.0.1",
    port: 0,
    secretKeyBase: SECRET_KEY_BASE,
    logLevel: "silent",
    ...options,
  });
}

/** Serves an app whose shards find these variables in their environment; ours is as it was afterwards. */
export async function startServerWith(
  environment: Readonly<Record<string, string>>,
  ...rest: Parameters<typeof startServer>
): Promise<Server> {
  Object.assign(process.env, environment);
  try {
    return await startServer(...rest);
  } finally {
    for (const name of Object.keys(environment)) Reflect.deleteProperty(process.env, name);
  }
}

/**
 * Finds a port that is free now, for a server that is to come back on the same one.
 *
 * A server on port 0 would not do: the system lets nobody else have the port it chose until the last
 * connection there is forgotten, a minute later.
 */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}
