/**
 * Links nodes through the channels of a Redis server, or another that speaks RESP3 (Valkey).
 *
 * One connection does everything. With version 3 of its protocol, Redis pushes messages between the
 * answers to commands, so publishing and receiving are lost together or not at all. The client library
 * (the package `@redis/client`) is loaded here, on the link's thread, at the first attempt to connect;
 * apps that do not use Redis need not install it. Its own reconnecting is turned off, because it would
 * send again what may have arrived, and never report what did not.
 *
 * Runs on: link.
 * Full: the server cuts a connection that reads too slowly (client-output-buffer-limit pubsub).
 */

import type * as Library from "@redis/client";

import { loadPackage } from "../../optional-package.ts";
import type { Adapter } from "../adapter.ts";
import {
  BrokerAdapter,
  brokerRefused,
  type BrokerPatience,
  type ClusterOptions,
} from "./broker-adapter.ts";
import type { Broker, BrokerConnection, BrokerListener } from "./broker.ts";

/** Time limit for establishing a TCP connection. */
const CONNECT_MS = 10_000;
/** Temporary errors: the server is starting, failing over, or has too many clients. */
const TEMPORARY =
  /^(?:LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|READONLY)\b|max number of clients/;
/** Names that CLIENT SETNAME accepts. */
const CLIENT_NAME = /^[!-~]+$/;

/** Creates the adapter, in the link thread. */
export function makeAdapter(options: Readonly<Record<string, unknown>>): Adapter {
  return makeRedisAdapter(options as unknown as ClusterOptions);
}

/** Creates an adapter, with a test's time limits if given. */
export function makeRedisAdapter(
  options: ClusterOptions,
  patience?: Partial<BrokerPatience>,
): BrokerAdapter {
  return new BrokerAdapter(new Redis(options), options, patience);
}

/** A Redis server. */
class Redis implements Broker {
  readonly address: string;
  readonly #url: string;
  readonly #clientName: string | undefined;

  constructor({ clusterUrl, nodeName }: ClusterOptions) {
    const { protocol, host } = new URL(clusterUrl);
    this.#url = clusterUrl;
    this.address = `${protocol}//${host}`;
    const name = `simurgh:${nodeName}`;
    this.#clientName = CLIENT_NAME.test(name) ? name : undefined;
  }

  async connect(
    channels: readonly string[],
    listener: BrokerListener,
    signal: AbortSignal,
  ): Promise<BrokerConnection> {
    const { createClient, ErrorReply } = await loadPackage(
      "@redis/client",
      "for a clusterUrl of redis:",
      async () => import("@redis/client"),
    );
    signal.throwIfAborted();
    const client: Library.RedisClientType = createClient({
      url: this.#url,
      RESP: 3,
      disableOfflineQueue: true,
      // Otherwise the library looks up the host before it connects, which fails for an IPv6 address,
      // and may move a connection to another server, which loses messages without an error.
      maintNotifications: "disabled",
      socket: { reconnectStrategy: false, connectTimeout: CONNECT_MS },
      ...(this.#clientName !== undefined && { name: this.#clientName }),
    });
    const explained = (error: unknown): unknown => {
      if (error instanceof ErrorReply) return this.#refusal(error);
      // A host with several addresses yields several errors; one is enough.
      return error instanceof AggregateError ? error.errors[0] : error;
    };
    let hasSocket = false;
    let isConnected = false;
    let isClosed = false;
    const destroy = (): void => {
      if (client.isOpen) client.destroy();
    };
    const close = (): void => {
      isClosed = true;
      // Without a socket, the library forgets to close the client, and waits for its replies
      // forever.
      if (hasSocket) destroy();
      else client.once("connect", destroy);
    };
    client.once("connect", () => {
      hasSocket = true;
    });
    client.on("error", (error: Error) => {
      if (!isConnected || isClosed) return;
      close();
      listener.onLost(error);
    });
    const hear = (bytes: Buffer, channel: Buffer): void => {
      if (!isClosed) listener.onMessage(channel.toString(), bytes);
    };
    // A pending connection cannot be aborted, so it must not keep the thread alive.
    client.unref();
    signal.addEventListener("abort", close, { once: true });
    try {
      await Promise.race([client.connect(), rejectedOnAbort(signal)]);
      await client.subscribe([...channels], hear, true);
    } catch (error) {
      close();
      throw explained(error);
    } finally {
      signal.removeEventListener("abort", close);
    }
    client.ref();
    isConnected = true;
    const refuse = (error: unknown): never => {
      throw explained(error);
    };
    return { publish: (channel, bytes) => client.publish(channel, bytes).catch(refuse), close };
  }

  #refusal(error: Error): Error {
    return TEMPORARY.test(error.message) ? error : brokerRefused(this, error);
  }
}

/** Returns a promise that only rejects, when a signal is aborted. */
function rejectedOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
