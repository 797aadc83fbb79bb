/**
 * Publishes through the engine, by one call for all connections that subscribe to a native topic.
 *
 * Runs on: shard.
 */

import type { Publisher } from "../../channel/connection.ts";
import type { ConnectionSet } from "../connection-set.ts";
import type { EngineApp } from "../engine/app-port.ts";
import type { Turn } from "../turn.ts";
import { mayCompress, type WebSocketConnection } from "./websocket-connection.ts";

/** A publisher over the engine's topics. */
export class EnginePublisher implements Publisher {
  readonly #app: EngineApp;
  readonly #connections: ConnectionSet<WebSocketConnection>;
  readonly #turn: Pick<Turn, "charge">;

  constructor(
    app: EngineApp,
    connections: ConnectionSet<WebSocketConnection>,
    turn: Pick<Turn, "charge">,
  ) {
    this.#turn = turn;
    this.#app = app;
    this.#connections = connections;
  }

  charge(receivers: number, bytes: number): void {
    this.#turn.charge(receivers, bytes);
  }

  publish(
    nativeTopic: string,
    frame: Uint8Array,
    isBinary: boolean,
    receivers: number,
    isCompressed: boolean,
  ): void {
    this.#app.publish(nativeTopic, frame, isBinary, mayCompress(isCompressed, frame.length));
    this.#connections.published(receivers, frame.length);
  }
}
