/**
 * Servers for tests: serve an app of `test/apps` on a port chosen by the system, on the loopback only.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { serve } from "../../src/index.ts";
import type { OuterServer } from "../../src/server/attachment/outer-server.ts";

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

/** Attaches an app of `test/apps` to a server, which listens on the loopback then. */
export async function attachServer(
  app: string | URL,
  outer: OuterServer,
  options: Omit<ServeOptions, "app"> = {},
): Promise<Server> {
  const server = await serve({
    app: typeof app === "string" ? new URL(`../apps/${app}.js`, import.meta.url) : app,
    secretKeyBase: SECRET_KEY_BASE,
    logLevel: "silent",
    shards: 1,
    ...options,
    attachTo: outer,
  });
  if (!outer.listening) await once(outer.listen(0, "127.0.0.1"), "listening");
  return server;
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

/** Restarts each shard, one after the other. */
export async function restartShards(server: Server): Promise<void> {
  for (let shard = 0; shard < server.stats().shards.length; shard += 1) {
    await server.restartShard(shard);
  }
}

/** Ports outside the range from which Linux chooses ports of outgoing connections. */
const FIRST_PORT = 12_000;
const LAST_PORT = 31_999;

/**
 * Finds consecutive ports that are currently free, and returns the first: for a server that will be restarted on the
 * same port.
 *
 * Port 0 does not work for that: the system does not reassign a port that it chose until the last connection to it
 * is forgotten, a minute later, and may assign it to an outgoing connection of another test.
 */
export async function freePort(count = 1): Promise<number> {
  for (;;) {
    const first = randomInt(FIRST_PORT, LAST_PORT + 1 - count);
    if (await areFree(first, count)) return first;
  }
}

async function areFree(first: number, count: number): Promise<boolean> {
  for (let port = first; port < first + count; port += 1) {
    const probe = createServer().listen(port, "127.0.0.1");
    try {
      await once(probe, "listening");
    } catch {
      return false;
    }
    probe.close();
    await once(probe, "close");
  }
  return true;
}
