/**
 * A server in the foreground of a terminal: started, announced, and stopped by signals.
 *
 *   starting --ready--> serving --signal--> closing --signal--> closing at once
 *      |                 |   ^                 |                      |
 *      |                 |   +--all done--+    +----------------------+--> exit code 0
 *      |                 +----SIGHUP--> restarting shards in turn
 *      +--signal--> closes as soon as ready
 *
 * With --watch, an app that cannot be loaded is awaited as it starts, and a signal ends that.
 *
 * SIGHUP restarts the shards, which load the app anew; but where it says that the terminal is
 * gone, it stops the server as the others do.
 *
 * Runs on: main. Here alone signal handlers are installed: an embedded server has none.
 */

import { isatty } from "node:tty";

import type { ServeOptions } from "../server/serve-options.ts";
import { serve, type Server } from "../server/server.ts";
import type { AppWatch } from "./app-watch.ts";
import { EXIT_FAILED, failureOf } from "./failure.ts";
import { reloadWhenSaved, serveOnceLoadable, type HotReload } from "./hot-reload.ts";
import { terminalLog } from "./terminal-log.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Starts a server, and prints for people where it is and how it is stopped.
 *
 * @param watch - tells when the app was saved, and the shards are to be restarted
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
  const server = await started(options, hotReload);
  if (!server) return;
  process.stdout.write(`${announcement(server, title)}\n`);
  if (hotReload) void reloadWhenSaved(server, hotReload);
  restarter.started(server);
  stopper.started(server);
}

async function started(
  options: ServeOptions,
  hotReload: HotReload | undefined,
): Promise<Server | undefined> {
  if (!hotReload) return serve(options);
  try {
    return await serveOnceLoadable({ ...options, logger: terminalLog(say) }, hotReload);
  } catch (error) {
    // What it watches would keep the process.
    hotReload.watch.close();
    throw error;
  }
}

/** Gives the address for a browser on this machine. */
export function localAddress(host: string, port: number): string {
  const isAny = host === "0.0.0.0" || host === "::";
  const name = isAny ? "localhost" : host;
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
}

function announcement(server: Server, title: string): string {
  const { host, port, shards } = server;
  return `${title}
  address  ${localAddress(host, port)}
  shards   ${shards}
  stop     Ctrl+C or SIGTERM; a second one stops at once
  restart  SIGHUP: the shards in turn, with the app as it is then`;
}

/** Turns signals into the end of a server. */
class Stopper {
  readonly #watch: AppWatch | undefined;
  #server: Server | undefined;
  #signals = 0;
  #isHungUp = false;

  constructor(watch: AppWatch | undefined) {
    this.#watch = watch;
  }

  /** The terminal is gone. */
  onHangUp(): void {
    this.#isHungUp = true;
    // Nobody reads any more what is said from here on.
    process.stdout.on("error", () => {});
    this.onSignal("SIGHUP");
  }

  onSignal(signal: string): void {
    this.#signals += 1;
    if (this.#server) this.#stop(this.#server);
    // A start that hangs would never come to its end.
    else if (this.#signals > 1) process.exit(EXIT_FAILED);
    else this.#stopEarly(signal);
  }

  started(server: Server): void {
    this.#server = server;
    if (this.#signals > 0) this.#stop(server);
  }

  #stopEarly(signal: string): void {
    const isStarting = this.#watch?.isAwaited !== true;
    this.#watch?.close();
    if (isStarting) say(`${signal}: stops as soon as it has started; again: at once`);
    // There is an app that cannot be loaded, and nothing else.
    else this.#stopped();
  }

  #stop(server: Server): void {
    this.#watch?.close();
    if (this.#signals > 1) {
      void server.closeNow();
      return;
    }
    say("stopping: telling every client");
    void server.close().then(() => this.#stopped());
  }

  #stopped(): void {
    say("stopped");
    if (!this.#isHungUp) return;
    // As without a handler. Not by itself: Node.js crashes as it gives back a terminal that is gone.
    process.removeAllListeners("SIGHUP");
    process.kill(process.pid, "SIGHUP");
  }
}

/** Turns SIGHUP into restarts of all shards. */
class Restarter {
  #server: Server | undefined;
  #isAsked = false;
  #isRestarting = false;

  onSignal(): void {
    this.#isAsked = true;
    if (this.#server && !this.#isRestarting) void this.#restart(this.#server);
    else say("SIGHUP: restarts all shards after what is under way");
  }

  started(server: Server): void {
    this.#server = server;
    if (this.#isAsked) void this.#restart(server);
  }

  async #restart(server: Server): Promise<void> {
    this.#isRestarting = true;
    while (this.#isAsked) {
      this.#isAsked = false;
      say("SIGHUP: restarting the shards in turn");
      await restartAll(server);
    }
    this.#isRestarting = false;
  }
}

/** Restarts shard after shard, up to the first that cannot be: the rest would fail alike. */
async function restartAll(server: Server): Promise<void> {
  for (let shard = 0; shard < server.shards; shard += 1) {
    try {
      const { connections } = await server.restartShard(shard);
      say(`shard ${shard} restarted, ${connections} connections closed`);
    } catch (error) {
      const { text } = failureOf(error);
      if (!server.isClosed) say(`shard ${shard} and those after it not restarted\n${text}`);
      return;
    }
  }
  say("all shards restarted");
}

function say(text: string): void {
  process.stdout.write(`simurgh: ${text}\n`);
}
