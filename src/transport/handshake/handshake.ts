/**
 * The steps by which a request becomes a connection, whatever carries it (WIRE §2.2, §3.2).
 *
 *   parameters -> origin -> auth token -> connect info -> version, connect and id
 *
 * A transport takes the steps in its order, and answers in its own way: one has a status for a
 * refusal, another a body. The token is where the transport's clients can put it.
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

/** What handshakes are made of. */
export interface HandshakeParts {
  readonly mount: AnyMount;
  readonly policy: HandshakePolicy;
  /** Name of the transport, as sockets have it. */
  readonly transport: string;
  readonly context: ShardContext;
  /** Of the server; cookies of an application whose secret is another say so themselves. */
  readonly secretKeyBase: string;
  readonly logger: Logger;
}

/** Of a text that a client sent, at most this much is logged. */
const MOST_LOGGED = 200;

/** The handshakes of a mount by one transport. */
export class Handshake {
  readonly policy: HandshakePolicy;
  readonly logger: Logger;
  readonly #parts: HandshakeParts;

  constructor(parts: HandshakeParts) {
    this.#parts = parts;
    this.policy = parts.policy;
    this.logger = parts.logger;
  }

  /** Path of the mount. */
  get path(): string {
    return this.#parts.mount.path;
  }

  /** Gives what of a head these steps look at, and a transport's own steps. */
  wants(names: readonly string[]): HeadWants {
    const { origin, connectInfo } = this.policy;
    const { mount } = this.#parts;
    const isPeerWanted = !isRawMount(mount) && mount.limiter?.wantsPeer === true;
    return mergeWants([
      connectInfo.wants,
      { names: new Set([...origin.headers, ...names]), isPeerWanted },
    ]);
  }

  /** Gives the parameters: of the query, and of the path, which win; undefined: they are malformed. */
  tryParams(head: RequestHead): Params | undefined {
    const query = parseQuery(head.query);
    return query && Object.assign(query, head.pathParams);
  }

  /** Tells whether a page may connect. What it tells no, it logs. */
  checkOrigin(head: RequestHead): OriginVerdict {
    const { path } = this;
    const { transport } = this.#parts;
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

  /** Decides on a request: has the socket's `connect` and `id` see what the mount lets them see. */
  decide(
    head: RequestHead,
    params: Params,
    authToken: string | null,
  ): Decision | Promise<Decision> {
    const { mount, transport, context, secretKeyBase, policy, logger } = this.#parts;
    const request = { head, params, authToken, secretKeyBase };
    const connectInfo = policy.connectInfo.collect(request, logger);
    const { serializers } = policy;
    const { peerAddress } = head;
    const call = { mount, serializers, transport, params, connectInfo, peerAddress, context };
    return decide(call, logger);
  }
}
