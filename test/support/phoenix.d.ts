/** Types for the parts of the official client that the tests use. Its package has none. */
declare module "phoenix" {
  export interface SocketOptions {
    readonly transport: unknown;
    readonly params?: Readonly<Record<string, unknown>> | (() => Readonly<Record<string, unknown>>);
    readonly timeout?: number;
    readonly heartbeatIntervalMs?: number;
    readonly vsn?: string;
    readonly longPollFallbackMs?: number;
    readonly authToken?: string;
    readonly sessionStorage?: {
      getItem(key: string): string | null;
      setItem(key: string, value: string): void;
    };
    encode?(message: object, callback: (frame: string) => void): void;
    decode?(frame: string, callback: (message: unknown) => void): void;
    reconnectAfterMs?(tries: number): number;
    rejoinAfterMs?(tries: number): number;
  }

  /** The client's own transport, for the option `transport`. */
  export const LongPoll: unknown;

  export class Push {
    /** The timer of the push, which runs until the reply or the timeout. */
    readonly timeoutTimer: NodeJS.Timeout | null;
    receive(status: string, callback: (response: unknown) => void): Push;
  }

  export class Channel {
    readonly topic: string;
    readonly state: "closed" | "errored" | "joined" | "joining" | "leaving";
    join(timeout?: number): Push;
    leave(timeout?: number): Push;
    push(event: string, payload: object, timeout?: number): Push;
    on(event: string, callback: (payload: unknown) => void): number;
    off(event: string, ref?: number): void;
    onClose(callback: (payload: unknown) => void): void;
    /** Called for each message before the channel's callbacks, which receive its return value. */
    onMessage: (event: string, payload: unknown) => unknown;
    onError(callback: (reason: unknown) => void): void;
  }

  /** The presences of one key. */
  export interface PresentAs {
    readonly metas: readonly (Readonly<Record<string, unknown>> & { readonly phx_ref: string })[];
    readonly [added: string]: unknown;
  }

  export class Presence {
    constructor(channel: Channel);
    onJoin(callback: (key: string, before: PresentAs | undefined, joined: PresentAs) => void): void;
    onLeave(callback: (key: string, rest: PresentAs, left: PresentAs) => void): void;
    onSync(callback: () => void): void;
    list<Shown>(choose: (key: string, presence: PresentAs) => Shown): Shown[];
  }

  /** A message as decoded by the client. */
  export interface Received {
    readonly topic: string;
    readonly event: string;
    readonly ref: string | null;
    readonly payload: unknown;
  }

  export class Socket {
    constructor(endPoint: string, options: Partial<SocketOptions>);
    /** The transport's connection. */
    readonly conn: unknown;
    connect(): void;
    disconnect(callback?: () => void, code?: number, reason?: string): void;
    channel(topic: string, params?: object): Channel;
    onOpen(callback: () => void): string;
    onClose(callback: (event?: { readonly code: number }) => void): string;
    onError(callback: (error: unknown) => void): string;
    onMessage(callback: (message: Received) => void): string;
    isConnected(): boolean;
    endPointURL(): string;
    /** Disconnects, and uses another transport from now on. */
    replaceTransport(transport: unknown): void;
  }
}
