/**
 * The portable engine: Node's `http` and the package `ws`. It runs wherever Node.js does.
 *
 * The app of each shard listens itself, and the system deals the connections (`shared-port-listener`).
 *
 * Runs on: main, shard.
 */

import { createRequire } from "node:module";

import { OPTIONS } from "../../../options/options.ts";
import type { AppOptions, EngineApp } from "../app-port.ts";
import type { Engine } from "../engine-port.ts";
import { listenError } from "../listen-error.ts";
import type { ListenerParts, NodeListener } from "../listener-port.ts";
import { PortableApp } from "./portable-app.ts";
import { SharedPortListener } from "./shared-port-listener.ts";
import { COMPRESSED, UNCOMPRESSED } from "./websocket-mount.ts";

/** The portable engine. */
export class PortableEngine implements Engine {
  readonly kind = "portable";
  readonly name = "node:http and ws";
  readonly version: string;
  readonly maxShards: number;
  readonly outlivesThreads = true;
  readonly uncompressed = UNCOMPRESSED;
  readonly compressed = COMPRESSED;
  /** Settles when the last call of `listen` or `stopListening` for an app is done. */
  readonly #last = new WeakMap<EngineApp, Promise<unknown>>();

  /** @param canShare - whether several threads can listen on one port */
  constructor(canShare = canSharePort(process.platform, process.versions.node)) {
    const { version } = createRequire(import.meta.url)("ws/package.json") as {
      readonly version: string;
    };
    this.version = version;
    this.maxShards = canShare ? OPTIONS.shards.max : 1;
  }

  createApp(options: AppOptions): EngineApp {
    return new PortableApp(options);
  }

  descriptorOf(): undefined {
    return undefined;
  }

  async listen(app: EngineApp, host: string, port: number, isShared = false): Promise<number> {
    return this.#inOrder(app, async () => {
      try {
        return await (app as PortableApp).listen(host, port, { reusePort: isShared });
      } catch (cause) {
        throw listenError(host, port, { cause });
      }
    });
  }

  async stopListening(app: EngineApp, isFull = false): Promise<void> {
    return this.#inOrder(app, async () => (app as PortableApp).stopListening(isFull));
  }

  createListener(parts: ListenerParts): NodeListener {
    return new SharedPortListener(this, parts);
  }

  async #inOrder<Result>(app: EngineApp, call: () => Promise<Result>): Promise<Result> {
    const last = this.#last.get(app) ?? Promise.resolve();
    const result = last.then(call);
    this.#last.set(
      app,
      result.catch(() => undefined),
    );
    return result;
  }
}

/** Reports whether a system and version of Node.js let several threads listen on one port (`reusePort`). */
export function canSharePort(platform: string, nodeVersion: string): boolean {
  const [major = 0, minor = 0] = nodeVersion.split(".").map(Number);
  return (
    platform === "linux" &&
    (major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12))
  );
}
