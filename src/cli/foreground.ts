/**
 * A server in the foreground of a terminal: started, announced, and stopped by signals.
 *
 *   starting --ready--> serving --signal--> closing --signal--> closing at once
 *      |                                       |                      |
 *      +--signal--> closes as soon as ready    +----------------------+--> exit code 0
 *
 * Runs on: main. Here alone signal handlers are installed: an embedded server has none.
 */

import { serve, type ServeOptions, type Server } from "../server/server.ts";
import { EXIT_FAILED } from "./failure.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Starts a server, and prints for people where it is and how it is stopped. */
export async function runInForeground(options: ServeOptions, title: string): Promise<void> {
  const stopper = new Stopper();
  for (const signal of SIGNALS) process.on(signal, () => stopper.onSignal(signal));
  const server = await serve(options);
  process.stdout.write(`${announcement(server, title)}\n`);
  stopper.started(server);
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
  stop     Ctrl+C or SIGTERM; a second one stops at once`;
}

/** Turns signals into the end of a server. */
class Stopper {
  #server: Server | undefined;
  #signals = 0;

  onSignal(signal: string): void {
    this.#signals += 1;
    if (this.#server) this.#stop(this.#server);
    // A start that hangs would never come to its end.
    else if (this.#signals > 1) process.exit(EXIT_FAILED);
    else say(`${signal}: stops as soon as it has started; again: at once`);
  }

  started(server: Server): void {
    this.#server = server;
    if (this.#signals > 0) this.#stop(server);
  }

  #stop(server: Server): void {
    if (this.#signals > 1) {
      void server.closeNow();
      return;
    }
    say("stopping: telling every client");
    void server.close().then(() => say("stopped"));
  }
}

function say(text: string): void {
  process.stdout.write(`simurgh: ${text}\n`);
}
