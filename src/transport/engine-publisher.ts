/**
 * Publishes by the engine: one call for all connections that have a native topic.
 *
 * Runs on: shard.
 */

import type { Publisher } from "../channel/connection.ts";
import type { EngineApp } from "./engine-types.ts";
import type { TransportMeter } from "./meter.ts";
import { mayCompress } from "./websocket-connection.ts";

/** The engine's topics as a publisher. */
export class EnginePublisher implements Publisher {
  readonly #app: EngineApp;
  readonly #meter: TransportMeter;
  readonly #onPublished: (bytes: number) => void;

  /** @param onPublished - called with the length of each frame: what may wait for a client now */
  constructor(app: EngineApp, meter: TransportMeter, onPublished: (bytes: number) => void) {
    this.#app = app;
    this.#meter = meter;
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
    this.#meter.sent(receivers, frame.length);
    this.#onPublished(frame.length);
  }
}
