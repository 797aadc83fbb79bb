/**
 * A request to connect, as user code sees it.
 *
 * Runs on: shard. Types only.
 */

import type { AppContext } from "../channel/context.ts";
import type { InPayload, InSchema } from "../channel/schemas/declarations.ts";

/** Parameters that `connect` gets: the output of the schema, or if there is none, as they were sent. */
export type ParamsOf<Schema> = Schema extends InSchema ? InPayload<Schema> : Params;

/** Parameters of a connection: strings, objects for `a[b]=1`, and arrays for `a[]=1`. */
export type Params = Readonly<Record<string, string | undefined>> &
  Readonly<Record<string, unknown>>;

/** A request to connect, as `connect` gets it. */
export interface ConnectRequest<Given = Params, Context = object> {
  /**
   * Query parameters and path variables; path variables take precedence. With a schema (`params`),
   * its output.
   */
  readonly params: Given;
  /** What the mount's `connectInfo` asks for. */
  readonly connectInfo: ConnectInfo;
  /** The shard's context, including what `start` of the endpoint returned. */
  readonly context: AppContext<Context>;
  /** `websocket`, `longpoll`, or the name of a custom transport. */
  readonly transport: string;
}

/**
 * What the transport knows about a client. It contains only what the mount's `connectInfo` asks for.
 *
 * It is not kept. Copy what you need later into the assigns.
 */
export interface ConnectInfo {
  readonly peerData?: { readonly address: string };
  readonly uri?: RequestUri;
  readonly userAgent?: string | null;
  /** Headers whose name starts with `x-`, in order. A proxy or the client may have set them. */
  readonly xHeaders?: readonly (readonly [name: string, value: string])[];
  /** Headers whose name starts with `sec-websocket-`, without the auth token. */
  readonly secWebsocketHeaders?: readonly (readonly [name: string, value: string])[];
  /** `traceparent` and `tracestate`. */
  readonly traceContextHeaders?: readonly (readonly [name: string, value: string])[];
  /** The client's `authToken`, if the mount has `authToken`; null if the client sent none. */
  readonly authToken?: string | null;
  /** The session of the page's application; null if there is none, or its CSRF token is not valid. */
  readonly session?: Readonly<Record<string, unknown>> | null;
  /** Pairs that the mount itself adds. */
  readonly [name: string]: unknown;
}

/** The URI of a request. Behind a proxy, the URI that the proxy requested. */
export interface RequestUri {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
}
