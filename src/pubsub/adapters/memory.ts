/**
 * Links the nodes of one process, for tests and experiments.
 *
 * The links of a hub share a BroadcastChannel that is named after it.
 *
 * Runs on: link.
 */

import { BroadcastChannel } from "node:worker_threads";
import type { Adapter, AdapterSpec, RemoteBroadcastHandler, RemoteGapHandler } from "../adapter.ts";

/** Options of the in-memory adapter. */
export interface MemoryAdapterOptions {
  /** Name of the hub. Nodes of one hub are linked. */
  readonly hub: string;
  readonly nodeName: string;
}

interface Packet {
  /** Name of the only node that should receive the message; undefined for all nodes. */
  readonly to: string | undefined;
  /** Topic of a broadcast; undefined for a gap. */
  readonly topic: string | undefined;
  /** An envelope, or a gap. */
  readonly bytes: Uint8Array;
}

/** Returns an adapter that links nodes of one process, for the option `adapter` of `serve`. */
export function memoryAdapter(options: MemoryAdapterOptions): AdapterSpec {
  return { module: import.meta.url, options: { ...options } };
}

/** Creates the adapter, in the link thread. */
export function makeAdapter(options: Readonly<Record<string, unknown>>): Adapter {
  return new MemoryAdapter(options as unknown as MemoryAdapterOptions);
}

/** An adapter whose nodes live in the same process. */
export class MemoryAdapter implements Adapter {
  readonly nodeName: string;
  readonly #hub: string;
  #channel: BroadcastChannel | undefined;

  constructor({ hub, nodeName }: MemoryAdapterOptions) {
    this.nodeName = nodeName;
    this.#hub = hub;
  }

  async start(onBroadcast: RemoteBroadcastHandler, onGap: RemoteGapHandler): Promise<void> {
    const channel = new BroadcastChannel(`simurgh:${this.#hub}`);
    channel.addEventListener("message", (message) => {
      const { to, topic, bytes } = (message as unknown as { data: Packet }).data;
      if (this.#channel !== channel) return;
      if (to !== undefined && to !== this.nodeName) return;
      if (topic === undefined) onGap(bytes);
      else onBroadcast(topic, bytes);
    });
    this.#channel = channel;
  }

  broadcast(topic: string, envelope: Uint8Array): void {
    this.#post({ to: undefined, topic, bytes: envelope.slice() });
  }

  directBroadcast(node: string, topic: string, envelope: Uint8Array): void {
    this.#post({ to: node, topic, bytes: envelope.slice() });
  }

  gap(gap: Uint8Array): void {
    this.#post({ to: undefined, topic: undefined, bytes: gap.slice() });
  }

  async stop(): Promise<void> {
    this.#channel?.close();
    this.#channel = undefined;
  }

  #post(packet: Packet): void {
    this.#channel?.postMessage(packet);
  }
}
