/**
 * Runs a server in the foreground of a terminal, controlled by signals.
 *
 *   starting --ready--> serving --signal--> closing --signal--> closing immediately
 *      |                 |   ^                 |                      |
 *      |                 |   +--all done--+    +----------------------+--> exit code 0
 *      |                 +----SIGHUP--> restarting shards one by one
 *      +--signal--> closes as soon as it is ready
 *
 * With --watch, if the app cannot be loaded at the start, it waits until the app is saved or a
 * signal arrives. If no shard serves any more, it closes and exits with EXIT.serverFailed.
 *
 * SIGHUP restarts the shards, which load the app again. If SIGHUP was sent because the terminal was
 * closed, it stops the server like the other signals.
 *
 * Runs on: main. The only place that installs signal handlers; an embedded server has none.
 */

import { isatty } from "node:tty";

import type { ServeOptions } from "../server/serve-options.ts";
import { EXIT } from "../server/process-end.ts";
import { serve } from "../server/serve.ts";
import type { Server } from "../server/server.ts";
import type { AppWatch } from "./app-watch.ts";
import { EXIT_FAILED, failureOf } from "./failure.ts";
import { reloadWhenSaved, serveOnceLoadable, type HotReload } from "./hot-reload.ts";
import { terminalLog } from "./terminal-log.ts";
import { print, say } from "./terminal.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Starts a server, and prints its address and how to stop it.
 *
 * @param watch - reports when the app was saved; the shards are then restarted
 */
export async function runInForeground(
  options: ServeOptions,
  title: string,
  watch?: AppWatch,
): Promise<void> {
  const stopper = new Stopper(watch);
  const restarter = new Restarter();
  const hadTerminal = isatty(process.stdin.fd);
  for (const signal of SIGNALS) process.on(signal, () => stopper.onSignal(signal));
  process.on("SIGHUP", () => {
    if (hadTerminal && !isatty(process.stdin.fd)) stopper.onHangUp();
    else restarter.onSignal();
  });
  const hotReload = watch && { app: String(options.app), watch, say };
  const server = await start(options, hotReload);
  if (!server) return;
  print(announcement(server, title));
  if (hotReload) void reloadWhenSaved(server, hotReload);
  restarter.started(server);
  stopper.started(server);
  void stopWhenFailed(server, stopper);
}

async function stopWhenFailed(server: Server, stopper: Stopper): Promise<void> {
  await server.failed;
  say("no shard serves any more: stopping, to be started again");
  process.exitCode = EXIT.serverFailed;
  stopper.stopNow(server);
}

async function start(
  options: ServeOptions,
  hotReload: HotReload | undefined,
): Promise<Server | undefined> {
  if (!hotReload) return serve(options);
  try {
    return await serveOnceLoadable({ ...options, logger: terminalLog(say) }, hotReload);
  } catch (error) {
    // The watchers would keep the process alive.
    hotReload.watch.close();
    throw error;
  }
}

/** Returns the URL for a browser on this machine. */
export function localAddress(scheme: string, host: string, port: number): string {
  const isAny = host === "0.0.0.0" || host === "::";
  const name = isAny ? "localhost" : host;
  return `${scheme}://${name.includes(":") ? `[${name}]` : name}:${port}`;
}

function announcement(server: Server, title: string): string {
  const { scheme, host, port, shards } = server;
  const { name, version } = server.stats().engine;
  const sockets = scheme === "https" ? `, ${localAddress("wss", host, port)}` : "";
  return `${title}
  address  ${localAddress(scheme, host, port)}${sockets}
  shards   ${shards}
  engine   ${name} ${version}
  stop     Ctrl+C or SIGTERM; repeat to stop immediately
  restart  SIGHUP restarts the shards one by one with the current app${scheme === "https" ? " and certificate" : ""}`;
}

/** Stops a server on signals. */
class Stopper {
  readonly #watch: AppWatch | undefined;
  #server: Server | undefined;
  #signals = 0;
  #isHungUp = false;

  constructor(watch: AppWatch | undefined) {
    this.#watch = watch;
  }

  /** Called when the terminal was closed. */
  onHangUp(): void {
    this.#isHungUp = true;
    this.onSignal("SIGHUP");
  }

  onSignal(signal: string): void {
    this.#signals += 1;
    if (this.#server) this.#stop(this.#server);
    // The start may hang, so do not wait for it.
    else if (this.#signals > 1) process.exit(EXIT_FAILED);
    else this.#stopEarly(signal);
  }

  started(server: Server): void {
    this.#server = server;
    if (this.#signals > 0) this.#stop(server);
  }

  /** Stops the server immediately, without a signal. */
  stopNow(server: Server): void {
    this.#watch?.close();
    void server.closeNow().then(() => this.#stopped());
  }

  #stopEarly(signal: string): void {
    const isStarting = this.#watch?.isAwaited !== true;
    this.#watch?.close();
    if (isStarting) say(`${signal}: stopping after the start; repeat to stop immediately`);
    // The server is only waiting for an app that can be loaded, so there is nothing to close.
    else this.#stopped();
  }

  #stop(server: Server): void {
    this.#watch?.close();
    if (this.#signals > 1) {
      void server.closeNow();
      return;
    }
    say("stopping: closing all connections");
    void server.close().then(() => this.#stopped());
  }

  #stopped(): void {
    say("stopped");
    if (!this.#isHungUp) return;
    // End by SIGHUP, as a process without a handler does. On a normal exit, Node.js would crash
    // while restoring the closed terminal.
    process.removeAllListeners("SIGHUP");
    process.kill(process.pid, "SIGHUP");
  }
}

/** Restarts all shards on SIGHUP. */
class Restarter {
  #server: Server | undefined;
  #isAsked = false;
  #isRestarting = false;

  onSignal(): void {
    this.#isAsked = true;
    if (this.#server && !this.#isRestarting) void this.#restart(this.#server);
    else say("SIGHUP: all shards will be restarted after the current start or restart");
  }

  started(server: Server): void {
    this.#server = server;
    if (this.#isAsked) void this.#restart(server);
  }

  async #restart(server: Server): Promise<void> {
    this.#isRestarting = true;
    while (this.#isAsked) {
      this.#isAsked = false;
      say("SIGHUP: restarting the shards one by one");
      await restartAll(server);
    }
    this.#isRestarting = false;
  }
}

/**
 * Restarts the shards one by one. Stops at the first failure, because the rest would fail too.
 */
async function restartAll(server: Server): Promise<void> {
  for (let shard = 0; shard < server.shards; shard += 1) {
    try {
      const { connections } = await server.restartShard(shard);
      say(`shard ${shard} restarted, ${connections} connections closed`);
    } catch (error) {
      const { text } = failureOf(error);
      if (!server.isClosed) say(`shard ${shard} and later ones were not restarted\n${text}`);
      return;
    }
  }
  say("all shards restarted");
}
