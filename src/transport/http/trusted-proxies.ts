/**
 * Whose word about a request's client is believed, and what follows from it: the address, scheme and host that all of
 * the shard uses (limits, pauses, the origin check, connect info, routes).
 *
 *   the connection's peer
 *     --the server is attached (`server/attachment`)--> the client of the outer server, from its PROXY header
 *     --`proxyProtocol`, and the peer is trusted------> the client of that proxy, from its PROXY header
 *     --an address is trusted, and the proxy there names its own client--> that client, and so on
 *
 * Neither what others say counts nor what a trusted proxy says in an unknown form: the client is then the last one in
 * this chain. If a request has both `Forwarded` and `X-Forwarded-*`, a proxy may have written one and passed on the
 * client's other one. So where both say something, they count only if they agree.
 *
 * The native engine takes a PROXY header of version 2 from anybody, before each request of a connection, and reports the
 * last one. So `proxyProtocol` is safe only behind proxies that parse HTTP, which pass none on. The portable engine takes
 * one only from whom it is expected (`proxyHeaders`), and only in front of the first request.
 *
 * Runs on: shard; one for each whose endpoint trusts somebody, or whose server is attached. Without one, the client is
 *          the peer, and nothing here runs.
 */

import { timingSafeEqual } from "node:crypto";
import { BlockList, isIP, isIPv4 } from "node:net";

import { checkChoice, invalid, isCount, shown } from "../../definition-checks.ts";
import { addressKey } from "../../limits/address-key.ts";
import type { EngineResponse, ProxyHeaders, ProxyVersion } from "../engine/app-port.ts";
import { hopsOfForwarded, hopsOfXForwarded, type Hop } from "./forwarded.ts";
import type { HttpScheme } from "./uri.ts";

/** Options of an endpoint for the proxies in front of it. */
export interface ProxyOptions {
  /**
   * The proxies that are trusted to name the client: their addresses and CIDR ranges, or how many there are in front of
   * the server. Default: none. With a number, nobody must be able to reach the server around them.
   */
  readonly trustProxy?: readonly string[] | number | undefined;
  /**
   * The version of the PROXY header that the nearest proxy sends first on its connections. `trustProxy` must list its
   * address. With the native engine only "v2", and only for proxies that parse HTTP: others pass on a header that a
   * client sends before its second request.
   */
  readonly proxyProtocol?: ProxyVersion | undefined;
}

/** What is known about a request's client. */
export interface RequestClient {
  readonly address: string;
  /** Scheme that a trusted proxy or the outer server says, and otherwise that of the server. */
  readonly scheme: HttpScheme;
  /** Host that a trusted proxy says was asked for. If undefined, the `Host` header says it. */
  readonly host: string | undefined;
  /** False if the request has not come through the outer server. */
  readonly isAdmitted: boolean;
}

/** Header with which an outer server (`server/attachment`) marks its requests: `<secret> <scheme>`. */
export const ATTACHED_HEADER = "simurgh-attached";

const MAX_HOPS = 32;
/** Bits of an IPv6 network before those of a mapped IPv4 address. */
const MAPPED_BITS = 96;
const STRANGER: RequestClient = {
  address: "",
  scheme: "http",
  host: undefined,
  isAdmitted: false,
};

/** The headers of one request that say who its client is, read one by one. */
export class ForwardedHeaders {
  #attached: string | undefined;
  #addresses: string | undefined;
  #protos: string | undefined;
  #hosts: string | undefined;
  #elements: string | undefined;

  /** @returns whether the header is between this server and the outer one, and nobody else may see it */
  read(name: string, value: string): boolean {
    if (name === ATTACHED_HEADER) {
      this.#attached = value;
      return true;
    }
    if (name === "x-forwarded-for") this.#addresses = joined(this.#addresses, value);
    else if (name === "x-forwarded-proto") this.#protos = joined(this.#protos, value);
    else if (name === "x-forwarded-host") this.#hosts = joined(this.#hosts, value);
    else if (name === "forwarded") this.#elements = joined(this.#elements, value);
    return false;
  }

  /** Value of the outer server's mark. */
  get attached(): string | undefined {
    return this.#attached;
  }

  /** The hops of each kind of header that the request has. */
  hops(): Iterable<Hop>[] {
    const kinds: Iterable<Hop>[] = [];
    const hasX = (this.#addresses ?? this.#protos ?? this.#hosts) !== undefined;
    if (hasX) kinds.push(hopsOfXForwarded(this.#addresses, this.#protos, this.#hosts));
    if (this.#elements !== undefined) kinds.push(hopsOfForwarded(this.#elements));
    return kinds;
  }
}

/** Finds the clients of requests. */
export class TrustedProxies {
  readonly #networks: BlockList | undefined;
  readonly #hops: number;
  readonly #scheme: HttpScheme;
  readonly #proxyProtocol: ProxyVersion | undefined;
  /** The secret of the outer server; undefined if the server is not attached. */
  readonly #secret: Buffer | undefined;

  /**
   * @param scheme - that of requests that no proxy has forwarded
   * @throws SIM_ERR_DEFINITION_INVALID
   */
  constructor({ trustProxy, proxyProtocol }: ProxyOptions, scheme: HttpScheme, secret?: string) {
    checkProxyOptions({ trustProxy, proxyProtocol });
    this.#networks = typeof trustProxy === "object" ? networksOf(trustProxy) : undefined;
    this.#hops = typeof trustProxy === "number" ? trustProxy : 0;
    this.#scheme = scheme;
    this.#proxyProtocol = proxyProtocol;
    this.#secret = secret === undefined ? undefined : Buffer.from(secret);
  }

  /** Whose PROXY headers are expected; undefined if nobody's are. */
  get proxyHeaders(): ProxyHeaders | undefined {
    // Only the outer server knows the secret that its requests carry.
    if (this.#secret) return { versions: ["v2"], isFrom: () => true };
    if (this.#proxyProtocol === undefined) return undefined;
    return { versions: [this.#proxyProtocol], isFrom: (peer) => this.#isTrusted(peer, 0) };
  }

  /**
   * Returns the client of a request; undefined if nothing of it is wanted. Must be called from within the engine's
   * callback for the request.
   */
  clientOf(
    response: EngineResponse,
    headers: ForwardedHeaders,
    wants: { readonly isPeerWanted: boolean; readonly isTargetWanted: boolean },
  ): RequestClient | undefined {
    const secret = this.#secret;
    if (secret) {
      const [given = "", scheme] = headers.attached?.split(" ") ?? [];
      if (!isSame(secret, given)) return STRANGER;
      const address = textOf(response.getProxiedRemoteAddressAsText());
      return this.#clientBehind(address, scheme === "https" ? "https" : "http", headers);
    }
    if (!wants.isPeerWanted && !wants.isTargetWanted) return undefined;
    return this.#clientBehind(this.#peerOf(response), this.#scheme, headers);
  }

  #peerOf(response: EngineResponse): string {
    const peer = textOf(response.getRemoteAddressAsText());
    if (this.#proxyProtocol === undefined || !this.#isTrusted(peer, 0)) return peer;
    return textOf(response.getProxiedRemoteAddressAsText()) || peer;
  }

  #clientBehind(nearest: string, scheme: HttpScheme, headers: ForwardedHeaders): RequestClient {
    const client = { address: nearest, scheme, host: undefined, isAdmitted: true };
    if (!this.#isTrusted(nearest, 0)) return client;
    const said = headers.hops().map((hops) => this.#follow(nearest, hops));
    return {
      ...client,
      address:
        agreed(
          said.map(({ address }) => address),
          addressKey,
        ) ?? nearest,
      scheme: agreed(said.map((each) => each.scheme)) ?? scheme,
      host: agreed(said.map(({ host }) => host)) ?? undefined,
    };
  }

  /** Follows hops as long as they are those of trusted proxies. Of each part, the furthest that says it counts. */
  #follow(nearest: string, hops: Iterable<Hop>): Hop {
    let [address, scheme, host]: [Hop["address"], Hop["scheme"], Hop["host"]] = [
      undefined,
      undefined,
      undefined,
    ];
    let count = 0;
    for (const hop of hops) {
      scheme = hop.scheme ?? scheme;
      host = hop.host ?? host;
      address = hop.address ?? address ?? (hop.address === null ? nearest : undefined);
      count += 1;
      if (typeof hop.address !== "string" || !this.#isTrusted(hop.address, count)) break;
    }
    return { address, scheme, host };
  }

  /** @param hops - how many proxies are between the server and this address */
  #isTrusted(address: string, hops: number): boolean {
    if (!this.#networks) return hops < this.#hops;
    const version = isIP(address);
    return version !== 0 && this.#networks.check(address, version === 4 ? "ipv4" : "ipv6");
  }
}

/** Checks an endpoint's options for proxies. @throws SIM_ERR_DEFINITION_INVALID */
export function checkProxyOptions({ trustProxy, proxyProtocol }: ProxyOptions): void {
  if (trustProxy !== undefined && !isCount(trustProxy, MAX_HOPS)) {
    // `true` would trust clients.
    if (!Array.isArray(trustProxy)) {
      const forms = `addresses and CIDR ranges, or a number of proxies from 1 to ${MAX_HOPS}`;
      throw invalid(`trustProxy must be a list of ${forms}, got ${shown(trustProxy)}`);
    }
    networksOf(trustProxy);
  }
  if (proxyProtocol === undefined) return;
  checkChoice("proxyProtocol", proxyProtocol, ["v1", "v2"]);
  // A number would trust whoever is the peer.
  if (Array.isArray(trustProxy) && trustProxy.length > 0) return;
  throw invalid(
    `proxyProtocol must be combined with the addresses of the proxies (trustProxy), got ${shown(trustProxy)}`,
  );
}

function networksOf(entries: readonly string[]): BlockList {
  const networks = new BlockList();
  for (const entry of entries) addNetwork(networks, entry);
  return networks;
}

function addNetwork(networks: BlockList, entry: unknown): void {
  const [address, prefix] = networkOf(entry);
  const mapped = addressKey(address);
  const isV4 = isIPv4(address);
  // A mapped range is the IPv4 range that it stands for.
  if (!isV4 && isIPv4(mapped) && prefix >= MAPPED_BITS) {
    networks.addSubnet(mapped, prefix - MAPPED_BITS, "ipv4");
  } else {
    networks.addSubnet(address, prefix, isV4 ? "ipv4" : "ipv6");
  }
}

function networkOf(entry: unknown): readonly [address: string, prefix: number] {
  const [address = "", digits, ...rest] = typeof entry === "string" ? entry.split("/") : [];
  const bits = isIPv4(address) ? 32 : 128;
  const prefix = digits === undefined ? bits : Number(/^\d{1,3}$/.test(digits) ? digits : NaN);
  // The zone of an IPv6 address is a name that only its own machine knows.
  const isAddress = isIP(address) !== 0 && !address.includes("%");
  if (isAddress && prefix <= bits && rest.length === 0) return [address, prefix];
  const forms = 'an address or a CIDR range, such as "10.0.0.0/8" or "2001:db8::/32"';
  throw invalid(`each entry of trustProxy must be ${forms}, got ${shown(entry)}`);
}

/** Returns what all that say something agree on; null if they do not agree, or nobody says anything. */
function agreed<Text extends string>(
  said: readonly (Text | null | undefined)[],
  keyOf: (text: string) => string = String,
): Text | null {
  const [one, other] = said.filter((text) => typeof text === "string");
  if (one === undefined) return null;
  return other === undefined || keyOf(one) === keyOf(other) ? one : null;
}

function isSame(secret: Buffer, text: string): boolean {
  const given = Buffer.from(text, "latin1");
  return given.length === secret.length && timingSafeEqual(given, secret);
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`;
}

function textOf(bytes: ArrayBuffer): string {
  return Buffer.from(bytes).toString("latin1");
}
