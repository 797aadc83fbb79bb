/**
 * `@supabase/realtime-js`, unchanged, with the few types that the tests need.
 *
 * Its own types refer to the DOM's, so it is loaded with `require`, which does not import types.
 *
 * Runs on: the main thread of the tests.
 */
import { createRequire } from "node:module";

/** A message before it is encoded. */
interface RealtimeMessage {
  readonly join_ref?: string | null;
  readonly ref?: string | null;
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
}

/** Options of a client. */
export interface RealtimeClientOptions {
  readonly transport?: unknown;
  readonly params?: Readonly<Record<string, string>>;
  readonly timeout?: number;
  readonly vsn?: string;
  reconnectAfterMs?(tries: number): number;
  encode?(message: RealtimeMessage, callback: (frame: string) => void): void;
}

/** Options of a channel. */
export interface RealtimeChannelOptions {
  readonly config: {
    readonly broadcast?: { readonly ack?: boolean; readonly self?: boolean };
    readonly private?: boolean;
  };
}

/** A channel. */
export interface RealtimeChannel {
  on(
    type: "broadcast" | "postgres_changes" | "system",
    filter: { readonly event?: string; readonly schema?: string; readonly table?: string },
    callback: (payload: never) => void,
  ): this;
  subscribe(callback: (status: string) => void): this;
  send(message: {
    readonly type: "broadcast";
    readonly event: string;
    readonly payload: object;
  }): Promise<string>;
}

/** A client. */
export interface RealtimeClient {
  channel(topic: string, options?: RealtimeChannelOptions): RealtimeChannel;
  setAuth(token: string): Promise<void>;
  removeChannel(channel: RealtimeChannel): Promise<string>;
  disconnect(): Promise<unknown>;
}

/** The exports of the package that are used. */
interface RealtimeJs {
  readonly RealtimeClient: new (endPoint: string, options: RealtimeClientOptions) => RealtimeClient;
}

const require = createRequire(import.meta.url);
export const { RealtimeClient } = require("@supabase/realtime-js") as RealtimeJs;

/** Disconnects and waits for it. */
export async function disconnect(client: RealtimeClient): Promise<void> {
  const { setTimeout: set } = globalThis;
  // The client never clears its timeout of 10 s, which would keep the process alive.
  globalThis.setTimeout = ((...parts: Parameters<typeof set>) =>
    set(...parts).unref()) as typeof set;
  const disconnected = client.disconnect();
  globalThis.setTimeout = set;
  await disconnected;
}
