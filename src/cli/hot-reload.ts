/**
 * `simurgh serve --watch`: reloads the app in all shards when its files are saved.
 *
 *   waiting --saved--> restarting the shards one by one --all done--> waiting
 *      ^                       |
 *      +--- error printed -----+--app does not load: the old shards keep serving
 *
 * Runs on: main.
 */

import { dirname, relative } from "node:path";

import { hasCode } from "../errors.ts";
import type { ServeOptions } from "../server/serve-options.ts";
import { serve } from "../server/serve.ts";
import type { Server } from "../server/server.ts";
import type { AppWatch } from "./app-watch.ts";
import { failureOf } from "./failure.ts";
import { syntaxPlace } from "./syntax-place.ts";

/** Errors that a change to the app cannot fix. */
const NOT_OF_THE_APP = [
  "SIM_ERR_OPTION_INVALID",
  "SIM_ERR_ENGINE_UNAVAILABLE",
  "SIM_ERR_LISTEN",
] as const;
const MAX_NAMES = 3;

/** The dependencies of hot reload. */
export interface HotReload {
  readonly app: string;
  readonly watch: AppWatch;
  readonly say: (text: string) => void;
}

/**
 * Starts a server. If the app cannot be loaded, tries again each time the app is saved.
 *
 * @returns undefined if the watch was closed before the app could be loaded
 * @throws any error of `serve` that a change to the app cannot fix
 */
export async function serveOnceLoadable(
  options: ServeOptions,
  { watch, say }: HotReload,
): Promise<Server | undefined> {
  for (;;) {
    try {
      return await serve(options);
    } catch (error) {
      if (NOT_OF_THE_APP.some((code) => hasCode(error, code))) throw error;
      say(`the app cannot be loaded; trying again when it is saved\n${failureOf(error).text}`);
      if ((await watch.changed()).length === 0) return undefined;
    }
  }
}

/** Restarts the shards whenever the app is saved, until the watch is closed. */
export async function reloadWhenSaved(server: Server, hotReload: HotReload): Promise<void> {
  const { app, watch, say } = hotReload;
  for (;;) {
    const files = await watch.changed();
    if (files.length === 0) return;
    const names = namesOf(files, dirname(app));
    const startMs = performance.now();
    try {
      const clients = await restartAll(server);
      const ms = Math.round(performance.now() - startMs);
      const [shards, rejoining] = [plural(server.shards, "shard"), plural(clients, "client")];
      say(`${names}: ${shards} reloaded in ${ms} ms, ${rejoining} reconnecting`);
    } catch (error) {
      if (server.isClosed) return;
      say(`${names}: not reloaded, the old app keeps running\n${await reasonOf(error, files)}`);
    }
  }
}

/** Formats an error; for a syntax error, adds the line of code. */
async function reasonOf(error: unknown, files: readonly string[]): Promise<string> {
  const { text } = failureOf(error);
  const cause = error instanceof Error ? error.cause : undefined;
  const isSyntax = cause instanceof Error && cause.name === "SyntaxError";
  const place = isSyntax ? await syntaxPlace(files) : undefined;
  return place === undefined ? text : `${text}\n${place}`;
}

async function restartAll(server: Server): Promise<number> {
  let clients = 0;
  for (let shard = 0; shard < server.shards; shard += 1) {
    const { connections } = await server.restartShard(shard);
    clients += connections;
  }
  return clients;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function namesOf(files: readonly string[], folder: string): string {
  const names = files.map((file) => relative(folder, file));
  const more = names.length - MAX_NAMES;
  const shown = names.slice(0, MAX_NAMES).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}
