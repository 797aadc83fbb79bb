/**
 * Servers for tests: serve an app of `test/apps` on a port chosen by the system, on the loopback only.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
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
 * @param app - name of its file, without the extension
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

/** Serves an app with these environment variables for its shards. Restores our own environment. */
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
 * Finds a port that is currently free, for a server that will be restarted on the same port.
 *
 * Port 0 does not work for that: the system does not reassign a port that it chose until the last connection to it
 * is forgotten, a minute later.
 */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}
