/**
 * Publishes by the engine: one call for all connections that have a native topic.
 *
 * Runs on: shard.
 */

import type { Publisher } from "../../channel/connection.ts";
import type { EngineApp } from "./engine-types.ts";
import { mayCompress } from "../websocket/websocket-connection.ts";

/** Is told how many receivers a frame was published to, and its length (bytes). */
type OnPublished = (receivers: number, bytes: number) => void;

/** The engine's topics as a publisher. */
export class EnginePublisher implements Publisher {
  readonly #app: EngineApp;
  readonly #onPublished: OnPublished;

  /** @param onPublished - called for each frame */
  constructor(app: EngineApp, onPublished: OnPublished) {
    this.#app = app;
    this.#onPublished = onPublished;
  }

  publish(
    nativeTopic: string,
    frame: Uint8Array,
    isBinary: boolean,
    receivers: number,
    isCompressed: boolean,
  ): void {
    this.#app.publish(nativeTopic, frame, isBinary, mayCompress(isCompressed, frame.length));
    this.#onPublished(receivers, frame.length);
  }
}
