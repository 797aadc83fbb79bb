/**
 * The connections of all custom transports: decides which clients may connect, and opens connections.
 *
 * Runs on: shard; one instance for all custom transports.
 * Full: a client with too many unsent bytes is slow, if its transport reports them.
 */

import { invalidOption } from "../../definition-checks.ts";
import { kindOf } from "../../errors.ts";
import { COUNTER } from "../../memory/counters-layout.ts";
import type { AddressPlace } from "../../limits/address-places.ts";
import { CLOSE, RETRY_AFTER_S } from "../../protocol/reserved.ts";
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
import { TurnBudget, type BudgetedTurn } from "../turn-budget.ts";
import { CustomConnection, type CustomKind } from "./custom-connection.ts";
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
export type CustomShard = Pick<
  TransportShard,
  | "context"
  | "counters"
  | "logger"
  | "options"
  | "pauses"
  | "pending"
  | "places"
  | "proxies"
  | "sockets"
  | "sweep"
> & { readonly turn: BudgetedTurn };

interface CustomMount {
  readonly mount: AnyMount;
  readonly policy: HandshakePolicy;
}

const MS_PER_S = 1_000;
const REFUSED: Decision = { result: "refused", reason: undefined };
const FAILED: Decision = { result: "failed" };
/** All connections of an address are taken. */
const ADDRESS_FULL = {
  result: "limited",
  retryAfterMs: Number(RETRY_AFTER_S) * MS_PER_S,
} as const satisfies Decision;

/** The connections of a shard's custom transports. */
export class CustomConnections {
  readonly #connections: ConnectionSet<CustomConnection>;
  readonly #shard: CustomShard;
  readonly #budget: TurnBudget<CustomConnection>;
  readonly #kind: CustomKind;
  readonly #mounts: CustomMount[] = [];

  constructor(connections: ConnectionSet<CustomConnection>, shard: CustomShard) {
    this.#connections = connections;
    this.#shard = shard;
    this.#budget = new TurnBudget(
      shard.turn,
      (connection, message) => connection.handle(message),
      (connection) => connection.caughtUp(),
    );
    this.#kind = {
      connections,
      limits: shard.options,
      budget: this.#budget,
      cutFlooding: (connection) => this.#cutFlooding(connection),
      ended: (connection) => shard.places?.leave(connection),
    };
    // Always checks all connections, because the `bufferedBytes` of a transport may grow without
    // anything being sent.
    shard.sweep.add(() => connections.slowClients.checkAll());
  }

  /** Bytes of frames that wait for a later turn. */
  get waitingBytes(): number {
    return this.#budget.heldBytes;
  }

  /** Continues after main has ended what a frame caused (`shard/forced-end`). */
  recover(): void {
    this.#budget.recover();
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
    const address = addressOf(request);
    const place = this.#tryTakePlace(address);
    if (place === "full") return ADDRESS_FULL;
    let decision: Decision;
    try {
      decision = await this.#decide(transport, request, found, variables);
    } finally {
      // `open` takes one again, because the transport may never call it.
      if (place) this.#shard.places?.release(place);
    }
    if (decision.result !== "ok") return decision;
    if (this.#connections.isDraining) return { result: "unavailable" };
    const { identity } = decision;
    let isOpened = false;
    const open = (client: TransportClient): CustomConnection => {
      if (isOpened) {
        throw invalidOption("open must be called once, got twice");
      }
      isOpened = true;
      return this.#open(transport, identity, client, address);
    };
    return { result: "ok", id: identity.id, open };
  }

  /**
   * Reports whether the page that sent a request may use a socket.
   *
   * @throws SIM_ERR_OPTION_INVALID if no socket has the path, or `http` is not a request of a route
   */
  allowsOrigin(transport: string, path: string, http: RouteRequest): boolean {
    const { mount, policy } = this.#find(path);
    const handshake = new Handshake(mount, policy, transport, this.#shard);
    return handshake.checkOrigin(headOf(http)) === "allowed";
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
      const head = headOf(http);
      const pauseMs = handshake.pauseMs(head);
      if (pauseMs > 0) return this.#paused(pauseMs);
      return decideByHead(handshake, head, { ...params, ...variables });
    }
    const address = addressOf({ connectInfo });
    const pauseMs = address === "" ? 0 : (this.#shard.pauses?.waitMs(address) ?? 0);
    if (pauseMs > 0) return this.#paused(pauseMs);
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

  #open(
    transport: string,
    identity: AnyIdentity,
    client: TransportClient,
    address: string,
  ): CustomConnection {
    const connections = this.#connections;
    const number = connections.takeNumber();
    const connection = new CustomConnection(number, transport, client, address, this.#kind);
    const place = this.#tryTakePlace(address);
    connection.socket = this.#shard.sockets.open(connection, identity);
    connections.add(connection);
    if (typeof place === "object") this.#shard.places?.hold(connection, place);
    if (connections.isDraining) connections.restart(connection);
    else if (place !== "full") connection.socket.opened();
    // Another connection of the address has been opened since the decision.
    else connection.socket.end(CLOSE.policyViolation, { shutdown: "closed" });
    return connection;
  }

  /** Takes a place of a client's address. Returns undefined if its connections are not limited, or it is not known. */
  #tryTakePlace(address: string): AddressPlace | "full" | undefined {
    const { places } = this.#shard;
    return places && address !== "" ? (places.tryTake(address) ?? "full") : undefined;
  }

  /** Refuses a client whose address has a pause after a flood. */
  #paused(retryAfterMs: number): Decision {
    this.#shard.counters.add(COUNTER.floodPaused);
    return { result: "limited", retryAfterMs };
  }

  #cutFlooding(connection: CustomConnection): void {
    const { counters, logger, pauses } = this.#shard;
    counters.add(COUNTER.floodCut, 1);
    logger.log("floodCut", { connection: connection.id });
    if (connection.peerAddress !== "") pauses?.add(connection.peerAddress);
    connection.cut();
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

/** Returns the address of a client; empty if the transport does not know it. */
function addressOf({ connectInfo, http }: Omit<TransportRequest, "path">): string {
  if (http !== undefined) return headOf(http).peerAddress;
  const address: unknown = connectInfo?.peerData?.address;
  return typeof address === "string" ? address : "";
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
