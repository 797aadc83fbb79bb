/**
 * App modules that a test writes, and rewrites while a server runs them.
 *
 * Runs on: the test's thread.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const INDEX = new URL("../../src/index.js", import.meta.url).href;

/** A module in a folder of its own. */
export class AppFile {
  readonly path: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "simurgh-test-"));

  /** @param source - as for `write` */
  constructor(source: string) {
    this.path = join(this.#folder, "app.mjs");
    this.write(source);
  }

  /** Writes the module. The exports of this package are available in it as `simurgh`. */
  write(source: string): void {
    writeFileSync(this.path, `import * as simurgh from ${JSON.stringify(INDEX)};\n${source}`);
  }

  /** Writes another file beside it. @returns its path */
  writeBeside(name: string, source: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, source);
    return path;
  }

  /** Removes a file beside it. The module waits for that. */
  openGate(name: string): void {
    rmSync(join(this.#folder, name));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/**
 * Returns an app whose joins reply with its version and shard, and whose end is broadcast on the topic `log`.
 *
 * `shout` broadcasts its payload to the topic and gets a reply.
 */
export function chatApp(version: number, extra = ""): string {
  return `
    import { execFileSync } from "node:child_process";
    const { defineChannel, defineEndpoint, defineSocket, ok } = simurgh;
    const socket = defineSocket({
      connect: ({ params }) => ok({ user: params.user ?? null }),
      id: ({ assigns }) => assigns.user,
    });
    const room = defineChannel(socket, {
      join: (channel) => ok({ version: ${version}, shard: channel.shard }),
      handleIn: {
        shout(channel, payload) {
          channel.broadcast("shout", payload);
          return ok();
        },
        count: (channel) => ok({ count: channel.context.subscribers(channel.topic) }),
        subscribe: (channel, { topic }) => (channel.subscribe(topic), ok()),
        run(_channel, { ms }) {
          // The thread waits for a program, and cannot be interrupted.
          execFileSync(process.execPath, ["-e", \`setTimeout(() => {}, \${ms})\`]);
        },
        spin(channel, { ms }) {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
        },
        exit_after_shout(channel, payload) {
          channel.broadcast("shout", payload);
          process.exit(1);
        },
        exit_soon(channel) {
          setImmediate(() => process.exit(1));
        },
      },
      async terminate(channel, reason) {
        await new Promise((resolve) => setImmediate(resolve));
        channel.context.broadcast("log", "terminated", { version: ${version}, reason });
      },
    });
    export default defineEndpoint({
      sockets: { "/socket": { socket, channels: { "room:*": room } } },
      stop(context) {
        context.broadcast("log", "stopped", { version: ${version}, shard: context.shard });
      },
      ${extra}
    });`;
}
