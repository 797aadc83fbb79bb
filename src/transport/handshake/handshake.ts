/**
 * The steps from a request to a connection that all transports share.
 *
 *   parameters -> origin -> auth token -> connect info -> version, connect and id
 *
 * Each transport takes these steps in its own order and answers refusals in its own way, by a
 * status or in a body. The place of the auth token in the request also depends on the transport.
 *
 * Runs on: shard; one instance for each transport of each mount.
 */

import type { ShardContext } from "../../channel/context.ts";
import { FORWARDED_HEADERS, type FloodPauses } from "../../limits/flood-pauses.ts";
import type { Logger } from "../../log/logger.ts";
import { decide, type Decision } from "../../socket/connect.ts";
import type { Params } from "../../socket/connect-request.ts";
import type { PendingConnects } from "../../socket/pending-connects.ts";
import { isRawMount, type AnyMount } from "../../socket/mount.ts";
import type { TransportShard } from "../transport.ts";
import { mergeWants } from "./connect-info.ts";
import type { HandshakePolicy } from "./handshake-options.ts";
import { SITE_HEADER } from "./origin.ts";
import { parseQuery } from "../http/query.ts";
import { headerOf, type HeadWants, type RequestHead } from "../http/request-head.ts";

/** The result of the origin check; failed: the user's function threw. */
export type OriginVerdict = "allowed" | "refused" | "failed";

/** The handshakes of one transport of a mount. */
export class Handshake {
  readonly policy: HandshakePolicy;
  readonly logger: Logger;
  readonly #mount: AnyMount;
  readonly #transport: string;
  readonly #context: ShardContext;
  readonly #hasPlaces: boolean;
  readonly #pauses: FloodPauses | undefined;
  /** Whether the addresses of requests are those of clients, also behind a proxy. */
  readonly #knowsClients: boolean;
  readonly #pending: PendingConnects;

  /** @param transport - the transport's name, as seen by sockets */
  constructor(
    mount: AnyMount,
    policy: HandshakePolicy,
    transport: string,
    shard: Pick<TransportShard, "context" | "logger" | "pauses" | "pending" | "places" | "proxies">,
  ) {
    this.#hasPlaces = shard.places !== undefined;
    this.#pauses = shard.pauses;
    this.#knowsClients = shard.proxies !== undefined;
    this.#pending = shard.pending;
    this.policy = policy;
    this.logger = shard.logger;
    this.#mount = mount;
    this.#transport = transport;
    this.#context = shard.context;
  }

  /** Path of the mount. */
  get path(): string {
    return this.#mount.path;
  }

  /** Returns the parts of a head that these steps need, plus the headers in `names`. */
  wants(names: readonly string[]): HeadWants {
    const { origin, connectInfo } = this.policy;
    const mount = this.#mount;
    const isPeerWanted =
      this.#hasPlaces || (!isRawMount(mount) && mount.limiter?.wantsPeer === true);
    const pauses = this.#pauses;
    // Those of a connection that is cut cannot be read later.
    const isClientWanted = this.#knowsClients && pauses !== undefined;
    const ofProxy = this.#knowsClients ? [] : FORWARDED_HEADERS;
    const wants = mergeWants([
      connectInfo.wants,
      origin.wants,
      { names: new Set([...names, ...ofProxy]), isPeerWanted: isPeerWanted || isClientWanted },
    ]);
    if (!pauses || wants.isPeerWanted) return wants;
    // Reading the address takes longer than finding that nobody has been paused.
    return {
      ...wants,
      get isPeerWanted() {
        return pauses.areUsed;
      },
    };
  }

  /**
   * Returns the parameters of the query and the path; those of the path take precedence. Returns
   * undefined if the query is malformed.
   */
  tryParams(head: RequestHead): Params | undefined {
    const query = parseQuery(head.query);
    return query && Object.assign(query, head.pathParams);
  }

  /** Checks whether the page of a request may connect. Logs a refusal. */
  checkOrigin(head: RequestHead): OriginVerdict {
    const { path } = this;
    const transport = this.#transport;
    try {
      if (this.policy.origin.allows(head)) return "allowed";
    } catch (error) {
      this.logger.log("originCheckFailed", { path, transport, err: error });
      return "failed";
    }
    const origin = headerOf(head, "origin");
    const from = origin === undefined ? { site: headerOf(head, SITE_HEADER) } : { origin };
    this.logger.log("originRefused", { path, transport, ...from });
    return "refused";
  }

  /** Returns the time until the address of a request may connect (ms), or 0. */
  pauseMs(head: RequestHead): number {
    const waitMs = this.#pauses?.waitMs(head.peerAddress) ?? 0;
    if (waitMs === 0 || this.#knowsClients) return waitMs;
    return head.headers.some(([name]) => isOfProxy(name)) ? 0 : waitMs;
  }

  /** Calls the socket's `connect` and `id` with the information that the mount requests. */
  decide(
    head: RequestHead,
    params: Params,
    authToken: string | null,
  ): Decision | Promise<Decision> {
    const { policy, logger } = this;
    const context = this.#context;
    // The server's secret; a mount can set another one for its session.
    const { secretKeyBase } = context;
    const connectInfo = policy.connectInfo.collect(
      { head, params, authToken, secretKeyBase },
      logger,
    );
    const call = {
      mount: this.#mount,
      serializers: policy.serializers,
      transport: this.#transport,
      params,
      connectInfo,
      peerAddress: head.peerAddress,
      context,
      pending: this.#pending,
    };
    return decide(call, logger);
  }
}

function isOfProxy(name: string): boolean {
  return FORWARDED_HEADERS.includes(name);
}
