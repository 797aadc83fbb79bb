/**
 * The steps by which a request becomes a connection, whatever carries it (WIRE §2.2, §3.2).
 *
 *   parameters -> origin -> auth token -> connect info -> version, connect and id
 *
 * A transport takes the steps in its order, and answers in its own way: one has a status for a
 * refusal, another a body. Each has its own place for the token.
 *
 * Runs on: shard; one for each transport of each mount.
 */

import type { ShardContext } from "../../channel/context.ts";
import type { Logger } from "../../log/logger.ts";
import { decide, type Decision } from "../../socket/connect.ts";
import type { Params } from "../../socket/connect-request.ts";
import { isRawMount, type AnyMount } from "../../socket/mount.ts";
import { mergeWants } from "./connect-info.ts";
import type { HandshakePolicy } from "./handshake-options.ts";
import { parseQuery } from "../http/query.ts";
import { headerOf, type HeadWants, type RequestHead } from "../http/request-head.ts";

/** What became of the check of a request's origin; failed: the user's function threw. */
export type OriginVerdict = "allowed" | "refused" | "failed";

/** Of a text that a client sent, at most this much is logged. */
const MOST_LOGGED = 200;

/** The handshakes of a mount by one transport. */
export class Handshake {
  readonly policy: HandshakePolicy;
  readonly logger: Logger;
  readonly #mount: AnyMount;
  readonly #transport: string;
  readonly #context: ShardContext;

  /** @param transport - its name, as sockets see it */
  constructor(
    mount: AnyMount,
    policy: HandshakePolicy,
    transport: string,
    shard: { readonly context: ShardContext; readonly logger: Logger },
  ) {
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

  /** Returns what these steps, and those of the transport itself, look at in a head. */
  wants(names: readonly string[]): HeadWants {
    const { origin, connectInfo } = this.policy;
    const mount = this.#mount;
    const isPeerWanted = !isRawMount(mount) && mount.limiter?.wantsPeer === true;
    return mergeWants([
      connectInfo.wants,
      { names: new Set([...origin.headers, ...names]), isPeerWanted },
    ]);
  }

  /** Returns the parameters: of the query, and of the path, which win; undefined: they are malformed. */
  tryParams(head: RequestHead): Params | undefined {
    const query = parseQuery(head.query);
    return query && Object.assign(query, head.pathParams);
  }

  /** Reports whether the page of a request may connect, and logs a refusal. */
  checkOrigin(head: RequestHead): OriginVerdict {
    const { path } = this;
    const transport = this.#transport;
    try {
      if (this.policy.origin.allows(head)) return "allowed";
    } catch (error) {
      this.logger.log("originCheckFailed", { path, transport, err: error });
      return "failed";
    }
    const origin = headerOf(head, "origin")?.slice(0, MOST_LOGGED);
    this.logger.log("originRefused", { path, transport, origin });
    return "refused";
  }

  /** Asks the socket's `connect` and `id`, which see what the mount lets them see. */
  decide(
    head: RequestHead,
    params: Params,
    authToken: string | null,
  ): Decision | Promise<Decision> {
    const { policy, logger } = this;
    const context = this.#context;
    // The server's own; an application whose secret is another says so in its mount.
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
    };
    return decide(call, logger);
  }
}
