/**
 * `simurgh serve --watch`: has the shards load the app anew when its files are saved.
 *
 *   waiting --saved--> restarting the shards in turn --all are new--> waiting
 *      ^                       |
 *      +-- it is said why -----+--it does not load: the shards that are there go on
 *
 * Runs on: main.
 */

import { dirname, relative } from "node:path";

import { hasCode } from "../errors.ts";
import type { ServeOptions } from "../server/serve-options.ts";
import { serve, type Server } from "../server/server.ts";
import type { AppWatch } from "./app-watch.ts";
import { failureOf } from "./failure.ts";
import { syntaxPlace } from "./syntax-place.ts";

/** What no other app would change. */
const NOT_OF_THE_APP = [
  "SIM_ERR_OPTION_INVALID",
  "SIM_ERR_ENGINE_UNAVAILABLE",
  "SIM_ERR_LISTEN",
] as const;
const MOST_NAMES = 3;

/** The part of hot reload that a terminal sees. */
export interface HotReload {
  readonly app: string;
  readonly watch: AppWatch;
  readonly say: (text: string) => void;
}

/**
 * Starts a server; where the app cannot be loaded, once it was saved as one that can.
 *
 * @returns undefined where the watch was closed before
 * @throws as `serve` for what is no matter of the app
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
      say(
        `the app cannot be loaded, and is tried again when it is saved\n${failureOf(error).text}`,
      );
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
      const [shards, rejoining] = [counted(server.shards, "shard"), counted(clients, "client")];
      say(`${names}: ${shards} reloaded in ${ms} ms, ${rejoining} sent to rejoin`);
    } catch (error) {
      if (server.isClosed) return;
      say(`${names}: not reloaded, the app goes on as it was\n${await reasonOf(error, files)}`);
    }
  }
}

/** Gives the lines for people, and of a syntax error its own line. */
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

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function namesOf(files: readonly string[], folder: string): string {
  const names = files.map((file) => relative(folder, file));
  const more = names.length - MOST_NAMES;
  const shown = names.slice(0, MOST_NAMES).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}
