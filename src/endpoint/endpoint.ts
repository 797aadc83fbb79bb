/**
 * Defines an endpoint: sockets and routes by path. The default export of an app module.
 *
 * Runs on: shard; each shard loads the app module.
 */

import { kindOf } from "../errors.ts";
import { badResult } from "../callbacks/results.ts";
import type { AppContext, ShardContext } from "../channel/context.ts";
import type { DefinedFor, HasAssigns } from "../channel/definition.ts";
import { checkFilter, type FilterParameters } from "../log/filter.ts";
import type { LogSink } from "../log/sink.ts";
import { checkOption } from "../options/options.ts";
import { isPresence, type AnyPresence } from "../presence/presence.ts";
import { jsonV2 } from "../protocol/json-v2.ts";
import { negotiate, serializersOf } from "../protocol/version.ts";
import type { AnyChannelDefinition, ChannelRoute } from "../socket/channel-router.ts";
import type { SocketDefinition } from "../socket/definition.ts";
import type { RawSocketDefinition } from "../socket/raw-definition.ts";
import type { TransportDefinition } from "../transport/custom/definition.ts";
import type { CheckOrigin } from "../transport/handshake/origin.ts";
import { segmentsOf } from "../transport/http/path.ts";
import type { Route } from "../transport/http/routes.ts";
import { checkProxyOptions } from "../transport/http/trusted-proxies.ts";
import {
  checkMountOptions,
  MOUNT_OPTION_KEYS,
  pathsOf,
  type MountOptions,
} from "../transport/mount-options.ts";
import { sseOptionsOf } from "../transport/sse/sse-options.ts";
import { sseTransport } from "../transport/sse/sse-transport.ts";
import { checkKeys, checkObject, checkPath, checkPattern, invalid } from "../definition-checks.ts";
import { conflictOf, type KeptPattern } from "../pubsub/kept-topics.ts";

/** A socket with channels at a path. */
export interface MountDefinition extends MountOptions {
  // Accepts any socket; MountsOf checks that the channels were defined for it.
  readonly socket: SocketDefinition;
  /**
   * Channels by topic pattern, each optionally with `assigns` and `options`. The first matching
   * pattern is used.
   */
  readonly channels: Readonly<Record<string, AnyChannelDefinition | ChannelRoute>>;
  /** Maximum number of joined topics per connection. Default: the server's `maxChannels`. */
  readonly maxChannels?: number;
}

/** A raw socket at a path. */
export interface RawMountDefinition extends MountOptions {
  readonly socket: RawSocketDefinition;
}

/** A socket at a path. */
export type AnyMountDefinition = MountDefinition | RawMountDefinition;

/** Sockets by path. */
export type Sockets = Readonly<Record<string, AnyMountDefinition>>;

// Types that carry no information, such as MountDefinition itself, are not checked.
type Known<Type, Checked> = unknown extends Type ? unknown : Checked;

/**
 * Required type of a mount's socket, given the properties that `start` adds to the context. No
 * property has the type of `Unmet`, so the compiler's error names it and contains the text.
 */
type SocketFor<Socket, Own> =
  Socket extends HasAssigns<unknown, infer Context>
    ? [Own] extends [Context]
      ? unknown
      : Known<Context, HasAssigns<unknown, Unmet<Context, Own>>>
    : unknown;

type Unmet<Context, Own> = {
  readonly [Key in keyof Context]: Key extends keyof Own
    ? [Own[Key]] extends [Context[Key]]
      ? Context[Key]
      : "start of the endpoint must return this property with the type that the socket declares"
    : "start of the endpoint must return this property";
};

/** Required type of a channel, given its assigns and context. */
type ChannelFor<Channel, Assigns, Context> =
  Channel extends DefinedFor<infer Needed, never>
    ? [Needed] extends [never]
      ? unknown
      : DefinedFor<Assigns, Context>
    : unknown;

/** Required type of a route, given the assigns and context of its socket. */
type RouteFor<Given, Assigns, Context> = Known<
  Assigns,
  Given extends { readonly channel: infer Channel; readonly assigns: infer Added }
    ? { readonly channel: ChannelFor<Channel, Omit<Assigns, keyof Added> & Added, Context> }
    : Given extends { readonly channel: infer Channel }
      ? { readonly channel: ChannelFor<Channel, Assigns, Context> }
      : ChannelFor<Given, Assigns, Context>
>;

/**
 * Sockets by path, each with channels that were defined for it. A channel that requires assigns or
 * a context that its socket does not provide is a compile error.
 */
export type MountsOf<Given, Own> = {
  readonly [Path in keyof Given]: Given[Path] extends {
    readonly socket: HasAssigns<infer Assigns, infer Context>;
    readonly channels: infer Channels;
  }
    ? {
        readonly socket: SocketFor<Given[Path]["socket"], Own>;
        readonly channels: {
          readonly [Pattern in keyof Channels]: RouteFor<Channels[Pattern], Assigns, Context>;
        };
      }
    : Given[Path] extends { readonly socket: infer Socket }
      ? { readonly socket: SocketFor<Socket, Own> }
      : unknown;
};

/** The parameters of `defineEndpoint`. */
export interface EndpointCallbacks<Given extends Sockets = Sockets, Own = object> {
  /** Sockets by path. Paths may contain variables: `/org/:org/socket`. */
  readonly sockets: Given;
  /** Custom transports, in addition to those of the mounts. They reach all sockets. */
  readonly transports?: readonly TransportDefinition[];
  /** HTTP routes, such as `"GET /healthz": () => ({ status: 200 })`. */
  readonly routes?: Readonly<Record<string, Route<AppContext<NoInfer<Own>>>>>;
  /**
   * Host whose pages may connect if `checkOrigin` is true; null for any host. Default: `localhost`.
   */
  readonly urlHost?: string | null;
  /** Controls which pages may connect; a mount can override it. Default: true. */
  readonly checkOrigin?: CheckOrigin;
  /**
   * The proxies that are trusted to name the client (`X-Forwarded-For`, `-Proto`, `-Host`, `Forwarded`): their addresses
   * and CIDR ranges, or how many there are in front of the server. Default: none. A number is only safe if nobody can
   * reach the server around the proxies.
   */
  readonly trustProxy?: readonly string[] | number;
  /**
   * The version of the PROXY header, if the nearest proxy sends one. `trustProxy` must list its address. With the native
   * engine only "v2", and only for proxies that parse HTTP: others pass on a header that a client sends before its second
   * request.
   */
  readonly proxyProtocol?: "v1" | "v2";
  /** Presences that channels of the endpoint track: results of `definePresence`. */
  readonly presences?: readonly AnyPresence[];
  /**
   * Module whose default export is the result of `defineTasks`: functions that `socket.task` runs
   * on other threads. For example `new URL("./tasks.js", import.meta.url)`.
   */
  readonly tasks?: URL;
  /**
   * Runs in each shard before it is ready. If it returns an object, its properties are added to the
   * context. If it throws, `serve` fails.
   */
  start?(context: ShardContext): Own | void | Promise<Own | void>;
  /** Runs in each shard after its last channel's `terminate`. */
  stop?(context: AppContext<NoInfer<Own>>): void | Promise<void>;
  /** Receives the shard's log lines. By default they are written to standard error. */
  readonly logger?: LogSink;
  /** Client parameters that are logged as `[FILTERED]`. Default: `["password", "token"]`. */
  readonly filterParameters?: FilterParameters;
}

const KIND = Symbol.for("simurgh.endpoint");

/** A defined endpoint. Its type contains the app's topics and events. */
export interface EndpointDefinition<
  Given extends Sockets = Sockets,
> extends EndpointCallbacks<Given> {
  readonly [KIND]: true;
}

const ENDPOINT_KEYS = [
  "sockets",
  "transports",
  "routes",
  "urlHost",
  "checkOrigin",
  "trustProxy",
  "proxyProtocol",
  "presences",
  "tasks",
  "start",
  "stop",
  "logger",
  "filterParameters",
] as const satisfies readonly (keyof EndpointCallbacks)[];
const RAW_MOUNT_KEYS = [
  "socket",
  ...MOUNT_OPTION_KEYS,
] as const satisfies readonly (keyof RawMountDefinition)[];
const MOUNT_KEYS = [
  "socket",
  "channels",
  "maxChannels",
  ...MOUNT_OPTION_KEYS,
] as const satisfies readonly (keyof MountDefinition)[];
const ROUTE_KEYS = [
  "channel",
  "assigns",
  "options",
] as const satisfies readonly (keyof ChannelRoute)[];

/**
 * Defines an endpoint.
 *
 * @throws SIM_ERR_DEFINITION_INVALID for an unknown key, a path without a leading slash, an invalid
 *   socket or channel, `tasks` that are not the URL of a file, or invalid handshake options;
 *   SIM_ERR_OPTION_INVALID for a limit of a mount that is out of range
 */
export function defineEndpoint<const Given extends Sockets, Own extends object = object>(
  callbacks: EndpointCallbacks<Given, Own> & { readonly sockets: MountsOf<Given, NoInfer<Own>> },
): EndpointDefinition<Given> {
  checkKeys("endpoint", callbacks, ENDPOINT_KEYS);
  const { tasks } = callbacks;
  if (tasks !== undefined && !(tasks instanceof URL && tasks.protocol === "file:")) {
    throw invalid(`tasks must be the URL of a file, got ${String(tasks)}`);
  }
  checkFilter(callbacks.filterParameters);
  checkTransports(callbacks.transports);
  checkProxyOptions(callbacks);
  checkPresences(callbacks.presences ?? []);
  checkObject("sockets", callbacks.sockets);
  for (const [path, mount] of Object.entries(callbacks.sockets)) {
    checkMount(path, mount);
    checkMountOptions(path, mount, callbacks);
  }
  checkServedPaths(callbacks.sockets);
  checkHistories(callbacks.sockets);
  const given = callbacks as unknown as EndpointCallbacks<Given>;
  return { ...given, ...withSse(given), [KIND]: true };
}

/**
 * Reports whether a value is a result of `defineEndpoint`, even one from another copy of this
 * package.
 */
export function isEndpoint(value: unknown): value is EndpointDefinition {
  return typeof value === "object" && value !== null && KIND in value;
}

/**
 * Runs an endpoint's `start` and adds the properties of its result to the shard's context.
 *
 * @throws SIM_ERR_BAD_RESULT if the result is not an object, or the context already has one of its
 *   properties
 */
export async function startApp(endpoint: EndpointDefinition, context: ShardContext): Promise<void> {
  const own: unknown = await endpoint.start?.(context);
  if (own === undefined) return;
  if (typeof own !== "object" || own === null) {
    throw badResult("start", "nothing or an object", own);
  }
  const taken = Object.keys(own).find((name) => name in context);
  if (taken !== undefined) {
    throw badResult("start", "an object whose names are not in the context", taken);
  }
  Object.assign(context, own);
}

/** Returns the long form of a route in a mount's `channels`. */
export function routeOf(given: AnyChannelDefinition | ChannelRoute): ChannelRoute {
  return "channel" in given ? given : { channel: given };
}

/** Reports whether a mount has a raw socket. */
export function isRawMountDefinition(mount: AnyMountDefinition): mount is RawMountDefinition {
  return "handleIn" in mount.socket;
}

function checkPresences(presences: unknown): void {
  if (!Array.isArray(presences)) {
    throw invalid(`presences must be a list, got ${kindOf(presences)}`);
  }
  const invalidOne = (presences as unknown[]).find((one) => !isPresence(one));
  if (invalidOne !== undefined) {
    throw invalid(`presences must be made by definePresence, got ${kindOf(invalidOne)}`);
  }
  const names = presences.filter(isPresence).map(({ name }) => name);
  const duplicate = names.find((name, at) => names.indexOf(name) < at);
  if (duplicate === undefined) return;
  throw invalid(`presences must have unique names, got ${JSON.stringify(duplicate)} twice`);
}

// Checked while the app module loads rather than when the first client connects, so that the stack
// trace includes the mount.
function checkMount(path: string, mount: AnyMountDefinition): void {
  checkPath("socket path", path);
  checkObject(path, mount);
  const { socket } = mount;
  if (!hasFunction(socket, "connect")) {
    const makers = "defineSocket or defineRawSocket";
    throw invalid(`socket of ${path} must be made by ${makers}, got ${kindOf(socket)}`);
  }
  if (isRawMountDefinition(mount)) checkKeys(path, mount, RAW_MOUNT_KEYS);
  else checkChannels(path, mount);
}

/** Checks that clients can reach each transport of each mount: of two at one path, one would get no clients. */
function checkServedPaths(sockets: Sockets): void {
  const known = new Map<string, readonly [transport: string, mountPath: string]>();
  for (const [mountPath, mount] of Object.entries(sockets)) {
    for (const [transport, path] of pathsOf(mountPath, mount)) {
      checkPattern(`${transport} path of ${mountPath}`, path);
      // A WebSocket is told apart from other requests by its headers.
      const kind = transport === "websocket" ? transport : "http";
      const key = `${kind} ${segmentsOf(path).map(withoutName).join("/")}`;
      const [other, otherPath] = known.get(key) ?? [];
      if (other !== undefined) {
        const who = other === transport ? otherPath : `${other} of ${otherPath}`;
        throw invalid(
          `${transport} path of ${mountPath} must be its own, got ${path}, which ${who} has too`,
        );
      }
      known.set(key, [transport, mountPath]);
    }
  }
}

function withoutName(segment: string): string {
  return segment.startsWith(":") ? ":" : segment;
}

function checkChannels(path: string, mount: MountDefinition): void {
  checkKeys(path, mount, MOUNT_KEYS);
  const { channels, maxChannels } = mount;
  checkObject(`channels of ${path}`, channels);
  for (const [pattern, given] of Object.entries(channels)) {
    checkRoute(`channel ${JSON.stringify(pattern)} of ${path}`, given);
  }
  if (maxChannels !== undefined) {
    checkOption("maxChannels", `maxChannels of ${path}`, maxChannels);
  }
}

/** Returns the paths of all WebSockets, long-polls and server-sent events. */
export function servedPathsOf({ sockets }: { readonly sockets: Sockets }): string[] {
  const mounts = Object.entries(sockets);
  return mounts.flatMap(([path, mount]) => pathsOf(path, mount).map(([, served]) => served));
}

/** Returns the topic patterns of each mount, with the histories of their channels. */
export function keptPatternsOf({ sockets }: { readonly sockets: Sockets }): KeptPattern[][] {
  return Object.values(sockets).map((mount) => {
    if (isRawMountDefinition(mount)) return [];
    return Object.entries(mount.channels).map(([pattern, given]) => {
      const { channel } = routeOf(given);
      return { pattern, history: "start" in channel ? undefined : channel.history };
    });
  });
}

/** Checks that no topic has two different histories. */
function checkHistories(sockets: Sockets): void {
  const conflict = conflictOf(keptPatternsOf({ sockets }));
  if (!conflict) return;
  const [one, other] = conflict.map((pattern) => JSON.stringify(pattern));
  throw invalid(
    `channels of a topic must declare the same history, got two for ${one} and ${other}`,
  );
}

/** Adds the transport of the mounts with server-sent events, which is one as those of apps are. */
function withSse({
  sockets,
  transports = [],
}: EndpointCallbacks): Pick<EndpointCallbacks, "transports"> {
  const mounts = Object.entries(sockets).flatMap(([path, mount]) => {
    const options = sseOptionsOf(mount);
    if (!options) return [];
    const hasChannels = !isRawMountDefinition(mount);
    const serializers = serializersOf(`serializers of ${path}`, mount.serializers);
    const hasJsonV2 = negotiate("2.0.0", serializers) === jsonV2;
    return [{ path, options, hasChannels, hasJsonV2 }];
  });
  if (mounts.length === 0) return {};
  const own = sseTransport(mounts);
  // Calls between shards and figures go by the name.
  if (transports.some(({ name }) => name === own.name)) {
    throw invalid(
      `transports must not have the name ${own.name} if a mount has ${own.name}, got one`,
    );
  }
  return { transports: [...transports, own] };
}

function checkTransports(given: unknown): void {
  if (given === undefined) return;
  const isValid =
    Array.isArray(given) &&
    given.every((one) => hasFunction(one, "start") && hasFunction(one, "stop"));
  if (isValid) return;
  throw invalid(`transports must be a list of results of defineTransport, got ${kindOf(given)}`);
}

function checkRoute(subject: string, given: AnyChannelDefinition | ChannelRoute): void {
  if (isChannel(given)) return;
  if (!hasFunction(given, "channel", "join") && !hasFunction(given, "channel", "start")) {
    const makers = "defineChannel or defineRawChannel";
    throw invalid(`${subject} must be made by ${makers}, got ${kindOf(given)}`);
  }
  checkKeys(subject, given, ROUTE_KEYS);
  const { channel, assigns, options } = routeOf(given);
  if (assigns !== undefined) checkObject(`assigns of ${subject}`, assigns);
  if (options !== undefined && !("start" in channel)) {
    throw invalid(`options of ${subject} must belong to a raw channel, got another channel`);
  }
}

function isChannel(given: unknown): boolean {
  return hasFunction(given, "join") || hasFunction(given, "start");
}

function hasFunction(value: unknown, ...names: readonly string[]): boolean {
  let at = value;
  for (const name of names) {
    if (typeof at !== "object" || at === null) return false;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return typeof at === "function";
}
