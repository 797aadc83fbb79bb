/**
 * A request to connect, as seen by user code.
 *
 * Runs on: shard. Types only.
 */

import type { AppContext } from "../channel/context.ts";
import type { InPayload, InSchema } from "../channel/schemas/declarations.ts";

/**
 * Parameters passed to `connect`: the output of the schema, or without a schema, the parameters as
 * sent.
 */
export type ParamsOf<Schema> = Schema extends InSchema ? InPayload<Schema> : Params;

/** Parameters of a connection: strings, objects for `a[b]=1`, and arrays for `a[]=1`. */
export type Params = Readonly<Record<string, string | undefined>> &
  Readonly<Record<string, unknown>>;

/** A request to connect, as passed to `connect`. */
export interface ConnectRequest<Given = Params, Context = object> {
  /**
   * Query parameters and path variables; path variables take precedence. With a schema (`params`),
   * the output of the schema.
   */
  readonly params: Given;
  /** The information requested by the mount's `connectInfo`. */
  readonly connectInfo: ConnectInfo;
  /** The shard's context, including the values that the endpoint's `start` returned. */
  readonly context: AppContext<Context>;
  /** `websocket`, `longpoll`, or the name of a custom transport. */
  readonly transport: string;
}

/**
 * Information about a client from its transport. It contains only the kinds that the mount's
 * `connectInfo` requests.
 *
 * It is not kept after `connect`, so copy anything that you need later into the assigns.
 */
export interface ConnectInfo {
  /** The client's address, or that of the nearest proxy that `trustProxy` does not name. */
  readonly peerData?: { readonly address: string };
  readonly uri?: RequestUri;
  readonly userAgent?: string | null;
  /** Headers whose names start with `x-`, in order. A proxy or the client may have set them. */
  readonly xHeaders?: readonly (readonly [name: string, value: string])[];
  /** Headers whose names start with `sec-websocket-`, without the auth token. */
  readonly secWebsocketHeaders?: readonly (readonly [name: string, value: string])[];
  /** `traceparent` and `tracestate`. */
  readonly traceContextHeaders?: readonly (readonly [name: string, value: string])[];
  /** The client's `authToken`, if the mount has `authToken`; null if the client sent none. */
  readonly authToken?: string | null;
  /** The session of the page's application; null if there is none, or its CSRF token is not valid. */
  readonly session?: Readonly<Record<string, unknown>> | null;
  /** Pairs added by the mount itself. */
  readonly [name: string]: unknown;
}

/** The URI of a request. Behind a proxy that `trustProxy` does not name, the URI that the proxy requested. */
export interface RequestUri {
  readonly scheme: string;
  /** As in the `Host` header: an IPv6 address is in brackets. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** The query without the question mark. */
  readonly query: string;
}
