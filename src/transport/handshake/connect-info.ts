/**
 * Connect info: the information about a client that the mount requests in addition to the
 * parameters.
 *
 * Cookies and other headers are never passed on, because any web page can make the browser send them.
 *
 * Runs on: shard; one plan for each transport of each mount.
 */

import { invalid } from "../../definition-checks.ts";
import { kindOf } from "../../errors.ts";
import type { Logger } from "../../log/logger.ts";
import type { ConnectInfo, RequestUri } from "../../socket/connect-request.ts";
import { headerOf, hostOf, type HeadWants, type RequestHead } from "../http/request-head.ts";
import {
  CookieSessionReader,
  type CookieSessionRequest,
  type SessionSource,
} from "./cookie-session.ts";
import { defaultPortOf, tryParseHost } from "../http/uri.ts";

/** A request, with its auth token. */
export interface InfoRequest extends CookieSessionRequest {
  readonly authToken: string | null;
}

type Collect = (request: InfoRequest) => unknown;

interface Kind {
  readonly wants: Partial<HeadWants>;
  readonly collect: Collect;
}

const X_PREFIX = "x-";
const WEBSOCKET_PREFIX = "sec-websocket-";
const TRACE_HEADERS: readonly string[] = ["traceparent", "tracestate"];

/**
 * The kinds, each with the parts of the request that it needs and the way in which it is collected.
 */
const KINDS = {
  peerData: {
    wants: { isPeerWanted: true },
    collect: ({ head }) => ({ address: head.peerAddress }),
  },
  traceContextHeaders: {
    wants: { names: new Set(TRACE_HEADERS) },
    collect: ({ head }) => head.headers.filter(([name]) => TRACE_HEADERS.includes(name)),
  },
  xHeaders: {
    wants: { prefixes: [X_PREFIX] },
    collect: ({ head }) => head.headers.filter(([name]) => name.startsWith(X_PREFIX)),
  },
  uri: {
    wants: { names: new Set(["host"]), isTargetWanted: true },
    collect: ({ head }) => uriOf(head),
  },
  userAgent: {
    wants: { names: new Set(["user-agent"]) },
    collect: ({ head }) => headerOf(head, "user-agent") ?? null,
  },
  secWebsocketHeaders: {
    wants: { prefixes: [WEBSOCKET_PREFIX] },
    collect: ({ head }) => head.headers.filter(([name]) => name.startsWith(WEBSOCKET_PREFIX)),
  },
  authToken: { wants: {}, collect: ({ authToken }) => authToken },
} as const satisfies Record<string, Kind>;

/** The name of a kind of connect info. */
export type ConnectInfoKind = keyof typeof KINDS;

/** A session to read, and any other values of the app, which are passed on unchanged. */
export interface ConnectInfoPairs {
  readonly session?: SessionSource;
  readonly [name: string]: unknown;
}

/**
 * The information that a mount requests, such as `["uri", "userAgent", { session: { key,
 * signingSalt } }]`.
 */
export type ConnectInfoRequest = readonly (ConnectInfoKind | ConnectInfoPairs)[];

const NOTHING: ConnectInfo = Object.freeze({});

/** Collects the connect info that a mount requests. */
export class ConnectInfoPlan {
  readonly #collectors: readonly (readonly [name: string, collect: Collect])[];
  /** The parts of a request's head that the plan needs. */
  readonly wants: HeadWants;

  /**
   * @param subject - the name for error messages, such as `connectInfo of /socket`
   * @throws SIM_ERR_DEFINITION_INVALID for an unknown kind
   */
  constructor(subject: string, asked: ConnectInfoRequest, checkCsrf: boolean) {
    if (!Array.isArray(asked)) throw invalid(`${subject} must be a list, got ${kindOf(asked)}`);
    const collectors = new Map<string, Collect>();
    const wants: Partial<HeadWants>[] = [];
    for (const entry of asked as ConnectInfoRequest) {
      if (typeof entry === "string") {
        const kind: Kind = kindNamed(subject, entry);
        wants.push(kind.wants);
        collectors.set(entry, kind.collect);
        continue;
      }
      for (const [name, value] of pairsOf(subject, entry)) {
        if (name !== "session") {
          collectors.set(name, () => value);
          continue;
        }
        const source = value as SessionSource;
        const reader = new CookieSessionReader(`session in ${subject}`, source, checkCsrf);
        wants.push({ names: new Set(["cookie"]) });
        collectors.set(name, (request) => reader.read(request));
      }
    }
    this.#collectors = [...collectors];
    this.wants = mergeWants(wants);
  }

  /** Collects the info of a request. A session that cannot be read is null. Errors of a store are logged. */
  collect(request: InfoRequest, logger: Logger): ConnectInfo {
    if (this.#collectors.length === 0) return NOTHING;
    const info: Record<string, unknown> = {};
    for (const [name, collect] of this.#collectors) {
      try {
        info[name] = collect(request);
      } catch (error) {
        logger.log("sessionFailed", { path: request.head.path, err: error });
        info[name] = null;
      }
    }
    return info;
  }
}

/** Merges several sets of wanted parts into one. */
export function mergeWants(all: readonly Partial<HeadWants>[]): HeadWants {
  return {
    names: new Set(all.flatMap(({ names }) => [...(names ?? [])])),
    prefixes: all.flatMap(({ prefixes }) => prefixes ?? []),
    isPeerWanted: all.some(({ isPeerWanted }) => isPeerWanted === true),
    isTargetWanted: all.some(({ isTargetWanted }) => isTargetWanted === true),
  };
}

function uriOf(head: RequestHead): RequestUri {
  const { host = "", port = null } = tryParseHost(hostOf(head)) ?? {};
  const { path, query, scheme } = head;
  const shownHost = host.includes(":") ? `[${host}]` : host;
  return { scheme, host: shownHost, port: port ?? defaultPortOf(scheme) ?? 0, path, query };
}

function kindNamed(subject: string, name: string): Kind {
  if (Object.hasOwn(KINDS, name)) return KINDS[name as ConnectInfoKind];
  const names = Object.keys(KINDS).join(", ");
  throw invalid(`${subject} must be a list of ${names} or objects, got ${JSON.stringify(name)}`);
}

function pairsOf(subject: string, entry: unknown): [string, unknown][] {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
    throw invalid(`${subject} must be a list of names and objects, got ${kindOf(entry)}`);
  }
  const pairs = Object.entries(entry);
  const taken = pairs.find(([name]) => Object.hasOwn(KINDS, name));
  if (!taken) return pairs;
  throw invalid(`${subject} must list ${taken[0]} by name, got it as a key of an object`);
}
