/**
 * Links nodes through a Redis server, or another that speaks RESP3 (Valkey), by its channels.
 *
 * One connection does everything: with version 3 of its protocol Redis pushes messages between the
 * answers to commands, so what is published and what is heard are lost together or not at all. The
 * client library (the package `@redis/client`) is loaded here, on the link's thread, at the first
 * try to connect; who has no Redis needs not have it. Its own reconnecting is off: it would send
 * anew what may have arrived, and never says what did not.
 *
 * Runs on: link.
 * Full: the server cuts a connection that reads too slowly (client-output-buffer-limit pubsub).
 */

import type * as Library from "@redis/client";

import { makeError } from "../../errors.ts";
import type { Adapter } from "../adapter.ts";
import { BrokerAdapter, type BrokerAdapterOptions, type BrokerPatience } from "./broker-adapter.ts";
import type { Broker, BrokerWire, WireEvents } from "./broker.ts";

/** Options of the Redis adapter. */
export interface RedisAdapterOptions extends BrokerAdapterOptions {
  /** `redis://user:password@host:port/db`; `rediss:` by TLS. */
  readonly url: string;
}

const PACKAGE = "@redis/client";
/** Errors of a server that will be there soon: it starts, fails over, or has too many clients. */
const PASSING =
  /^(?:LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|READONLY)\b|max number of clients/;
/** What CLIENT SETNAME takes. */
const CLIENT_NAME = /^[!-~]+$/;

/** Makes the adapter, in the link thread. */
export function makeAdapter(options: Readonly<Record<string, unknown>>): Adapter {
  return makeRedisAdapter(options as unknown as RedisAdapterOptions);
}

/**
 * Makes an adapter, as patient as tests want it.
 *
 * @param answerMs - for the connection, and for all that is asked before messages come
 */
export function makeRedisAdapter(
  options: RedisAdapterOptions,
  patience?: Partial<BrokerPatience>,
  answerMs = 10_000,
): BrokerAdapter {
  const { url, nodeName } = options;
  return new BrokerAdapter(new Redis(url, nodeName, answerMs), options, patience);
}

/** A Redis server. */
class Redis implements Broker {
  readonly address: string;
  readonly #url: string;
  readonly #clientName: string | undefined;

  readonly #answerMs: number;

  constructor(url: string, nodeName: string, answerMs: number) {
    const { protocol, host } = new URL(url);
    this.#url = url;
    this.#answerMs = answerMs;
    this.address = `${protocol}//${host}`;
    const name = `simurgh:${nodeName}`;
    this.#clientName = CLIENT_NAME.test(name) ? name : undefined;
  }

  async connect(
    channels: readonly string[],
    events: WireEvents,
    signal: AbortSignal,
  ): Promise<BrokerWire> {
    const answerMs = this.#answerMs;
    const { createClient, ErrorReply } = await this.#library();
    const client: Library.RedisClientType = createClient({
      url: this.#url,
      RESP: 3,
      disableOfflineQueue: true,
      socket: { reconnectStrategy: false, connectTimeout: answerMs },
      ...(this.#clientName !== undefined && { name: this.#clientName }),
    });
    const explained = (error: unknown): unknown => {
      if (error instanceof ErrorReply) return this.#refusal(error);
      // Of a host with several addresses: one error says enough.
      return error instanceof AggregateError ? error.errors[0] : error;
    };
    let isWire = false;
    let isClosed = false;
    const close = (): void => {
      isClosed = true;
      if (client.isOpen) client.destroy();
    };
    client.on("error", (error: Error) => {
      if (!isWire || isClosed) return;
      close();
      events.onLost(error);
    });
    const hear = (bytes: Buffer, channel: Buffer): void => {
      if (!isClosed) events.onMessage(channel.toString(), bytes);
    };
    // A connection that is being made cannot be ended, so it must not hold the thread: the timer does.
    client.unref();
    const timer = setTimeout(close, answerMs);
    const giveUp = (): void => {
      clearTimeout(timer);
      close();
    };
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      await client.connect();
      await client.subscribe([...channels], hear, true);
    } catch (error) {
      if (isClosed) throw new Error(`no answer within ${answerMs} ms`, { cause: error });
      close();
      throw explained(error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
    }
    client.ref();
    isWire = true;
    const refuse = (error: unknown): never => {
      throw explained(error);
    };
    return { publish: (channel, bytes) => client.publish(channel, bytes).catch(refuse), close };
  }

  async #library(): Promise<typeof Library> {
    try {
      return await import("@redis/client");
    } catch (cause) {
      // A package that is there and does not load says so itself.
      if (!(cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND")) {
        throw cause;
      }
      const message = `package ${PACKAGE} must be installed for a clusterUrl of redis: (npm install ${PACKAGE}), got none`;
      throw makeError("SIM_ERR_CLIENT_PACKAGE", message, { cause });
    }
  }

  #refusal(cause: Error): Error {
    if (PASSING.test(cause.message)) return cause;
    const message = `${this.address} must let this node in, subscribe and publish, got ${cause.message}`;
    return makeError("SIM_ERR_BROKER_REFUSED", message, { cause });
  }
}
