/**
 * A request to connect, as user code sees it.
 *
 * Runs on: shard. Types only.
 */

import type { AppContext } from "../channel/context.ts";
import type { InPayload, InSchema } from "../channel/schemas/declarations.ts";

/** Parameters that `connect` gets under a schema; without one, as they were sent. */
export type ParamsOf<Schema> = Schema extends InSchema ? InPayload<Schema> : Params;

/** Parameters of a connection: strings, or nested as `a[b]=1` and `a[]=1` nest them. */
export type Params = Readonly<Record<string, string | undefined>> &
  Readonly<Record<string, unknown>>;

/** What `connect` may decide by. */
export interface ConnectRequest<Given = Params, Context = object> {
  /**
   * Query parameters and path variables, which take precedence; with a schema (`params`), what the
   * schema returned.
   */
  readonly params: Given;
  /** What the mount's `connectInfo` asks for. */
  readonly connectInfo: ConnectInfo;
  /** The shard's context, with what `start` of the endpoint added. */
  readonly context: AppContext<Context>;
  /** `websocket`, `longpoll`, or the name of a transport of yours. */
  readonly transport: string;
}

/**
 * What the transport knows of a client: what the mount's `connectInfo` asks for, and no more.
 *
 * Nothing of it is kept: what is wanted later, `connect` puts into the assigns.
 */
export interface ConnectInfo {
  readonly peerData?: { readonly address: string };
  readonly uri?: RequestUri;
  readonly userAgent?: string | null;
  /** Headers whose name starts with `x-`, in their order. A proxy may have made them, or the client. */
  readonly xHeaders?: readonly (readonly [name: string, value: string])[];
  /** Headers whose name starts with `sec-websocket-`, without the auth token. */
  readonly secWebsocketHeaders?: readonly (readonly [name: string, value: string])[];
  /** `traceparent` and `tracestate`. */
  readonly traceContextHeaders?: readonly (readonly [name: string, value: string])[];
  /** The client's `authToken`, with `authToken` of the mount; null: it sent none. */
  readonly authToken?: string | null;
  /** The session of the page's application; null: none, or not proven by its CSRF token. */
  readonly session?: Readonly<Record<string, unknown>> | null;
  /** The mount's own pairs. */
  readonly [name: string]: unknown;
}

/** Where a request went. Behind a proxy, what the proxy made of it. */
export interface RequestUri {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
}
