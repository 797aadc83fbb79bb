/**
 * The connections of all custom transports: decides which clients may connect, and opens connections.
 *
 * Runs on: shard; one instance for all custom transports.
 * Full: a client with too many unsent bytes is slow, if its transport reports them.
 */

import { invalidOption } from "../../definition-checks.ts";
import { kindOf } from "../../errors.ts";
import { decide, type Decision } from "../../socket/connect.ts";
import type { AnyIdentity } from "../../socket/identity.ts";
import type { Params } from "../../socket/connect-request.ts";
import type { AnyMount } from "../../socket/mount.ts";
import type { ConnectionSet } from "../connection-set.ts";
import { AUTH_TOKEN_HEADER } from "../handshake/auth-token.ts";
import type { HandshakePolicy } from "../handshake/handshake-options.ts";
import { Handshake } from "../handshake/handshake.ts";
import { matchPath } from "../http/path.ts";
import { headerOf, type RequestHead } from "../http/request-head.ts";
import { IncomingRequest, type RouteRequest } from "../http/routes.ts";
import type { TransportShard } from "../transport.ts";
import { CustomConnection } from "./custom-connection.ts";
import type { TransportClient, TransportDecision, TransportRequest } from "./definition.ts";

/** A decision whose `open` returns the whole connection, not only the transport's view of it. */
export type CustomDecision =
  | Exclude<TransportDecision, { readonly result: "ok" }>
  | {
      readonly result: "ok";
      readonly id: string | null;
      open(client: TransportClient): CustomConnection;
    };

/** The parts of a shard that custom connections use. */
type CustomShard = Pick<
  TransportShard,
  "context" | "logger" | "options" | "pauses" | "pending" | "places" | "sockets" | "sweep"
>;

interface CustomMount {
  readonly mount: AnyMount;
  readonly policy: HandshakePolicy;
}

const REFUSED: Decision = { result: "refused", reason: undefined };
const FAILED: Decision = { result: "failed" };

/** The connections of a shard's custom transports. */
export class CustomConnections {
  readonly #connections: ConnectionSet<CustomConnection>;
  readonly #shard: CustomShard;
  readonly #mounts: CustomMount[] = [];

  constructor(connections: ConnectionSet<CustomConnection>, shard: CustomShard) {
    this.#connections = connections;
    this.#shard = shard;
    // Always checks all connections, because the `bufferedBytes` of a transport may grow without
    // anything being sent.
    shard.sweep.add(() => connections.slowClients.checkAll());
  }

  /** Lets custom transports reach a mounted socket. */
  mount(mount: AnyMount, policy: HandshakePolicy): void {
    this.#mounts.push({ mount, policy });
  }

  /**
   * Calls a socket's `connect` and `id` for a client of a custom transport.
   *
   * @throws SIM_ERR_OPTION_INVALID if no socket has the path, or `http` is not a request of a route
   */
  async connect(transport: string, request: TransportRequest): Promise<CustomDecision> {
    const { variables, ...found } = this.#find(request.path);
    if (this.#connections.isDraining) return { result: "unavailable" };
    const decision = await this.#decide(transport, request, found, variables);
    if (decision.result !== "ok") return decision;
    if (this.#connections.isDraining) return { result: "unavailable" };
    const { identity } = decision;
    let isOpened = false;
    const open = (client: TransportClient): CustomConnection => {
      if (isOpened) {
        throw invalidOption("open must be called once, got twice");
      }
      isOpened = true;
      return this.#open(transport, identity, client);
    };
    return { result: "ok", id: identity.id, open };
  }

  #decide(
    transport: string,
    { params = {}, connectInfo = {}, http }: TransportRequest,
    { mount, policy }: CustomMount,
    variables: Readonly<Record<string, string>>,
  ): Decision | Promise<Decision> {
    const { context, logger, pending } = this.#shard;
    if (http !== undefined) {
      const handshake = new Handshake(mount, policy, transport, this.#shard);
      return decideByHead(handshake, headOf(http), { ...params, ...variables });
    }
    const call = {
      mount,
      serializers: policy.serializers,
      transport,
      params: { ...params, ...variables },
      connectInfo,
      peerAddress: connectInfo.peerData?.address ?? null,
      context,
      pending,
    };
    return decide(call, logger);
  }

  #open(transport: string, identity: AnyIdentity, client: TransportClient): CustomConnection {
    const connections = this.#connections;
    const number = connections.takeNumber();
    const { options } = this.#shard;
    const connection = new CustomConnection(number, transport, client, connections, options);
    connection.socket = this.#shard.sockets.open(connection, identity);
    connections.add(connection);
    if (connections.isDraining) connections.restart(connection);
    else connection.socket.opened();
    return connection;
  }

  #find(path: string): CustomMount & { readonly variables: Readonly<Record<string, string>> } {
    for (const found of this.#mounts) {
      // A mount may also be named by its own path, without values for its variables.
      const variables = found.mount.path === path ? {} : matchPath(found.mount.path, path);
      if (variables) return { ...found, variables };
    }
    const paths = this.#mounts.map(({ mount }) => mount.path).join(", ");
    throw invalidOption(`path must be one of ${paths}, got ${path}`);
  }
}

/** Decides on an HTTP request, which may come from a web page, as WebSocket and long-poll do. */
function decideByHead(
  handshake: Handshake,
  head: RequestHead,
  given: Params,
): Decision | Promise<Decision> {
  const params = handshake.tryParams(head);
  if (!params) return REFUSED;
  const verdict = handshake.checkOrigin(head);
  if (verdict !== "allowed") return verdict === "failed" ? FAILED : REFUSED;
  const { hasAuthToken } = handshake.policy;
  const authToken = hasAuthToken ? (headerOf(head, AUTH_TOKEN_HEADER) ?? null) : null;
  return handshake.decide(head, { ...params, ...given }, authToken);
}

// Accepts only the route's own request, because a copy could carry headers that the client never
// sent.
function headOf(http: RouteRequest): RequestHead {
  if (http instanceof IncomingRequest) return http.head;
  const message = `http must be the request passed to a route, got ${kindOf(http)}`;
  throw invalidOption(message);
}
