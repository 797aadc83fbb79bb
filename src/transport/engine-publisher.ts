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

  constructor(app: EngineApp, meter: TransportMeter) {
    this.#app = app;
    this.#meter = meter;
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
  }
}
