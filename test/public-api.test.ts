/**
 * The names that the package exports: a new one, or one that goes, is a decision and a changelog
 * entry. Types are pinned by the file that exports them.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

import * as simurgh from "../src/index.ts";

const INDEX = new URL("../../src/index.ts", import.meta.url);

const VALUES = [
  "ERRORS",
  "EVENTS",
  "LOG_LINES",
  "OPTIONS",
  "Token",
  "defineChannel",
  "defineEndpoint",
  "definePresence",
  "defineSocket",
  "error",
  "memoryAdapter",
  "ok",
  "reply",
  "serve",
  "socketRef",
  "stop",
];

const TYPES = [
  "Adapter",
  "AdapterModule",
  "AdapterSpec",
  "AnyPresence",
  "Atom",
  "Bitstring",
  "Broadcast",
  "BroadcastHandler",
  "ChannelCallbacks",
  "ChannelDefinition",
  "ChannelInfo",
  "ChannelRoute",
  "ChannelSocket",
  "CheckOrigin",
  "ConnectInfo",
  "ConnectInfoKind",
  "ConnectInfoPairs",
  "ConnectInfoRequest",
  "ConnectRequest",
  "CookieSession",
  "DrainOptions",
  "DrainReport",
  "EndpointCallbacks",
  "EndpointDefinition",
  "ErrorCode",
  "ErrorHandler",
  "ExitReason",
  "FetchResult",
  "Found",
  "HandleInResult",
  "HandleOutResult",
  "HandshakeOptions",
  "HostPresence",
  "HostPresenceEntry",
  "HostPresences",
  "Identifier",
  "ImproperList",
  "JoinResult",
  "KeyOptions",
  "LogSink",
  "LongPollMountOptions",
  "MemberStats",
  "MemoryAdapterOptions",
  "MetaUpdate",
  "MountDefinition",
  "Ok",
  "Options",
  "Origin",
  "Params",
  "Presence",
  "PresenceCallbacks",
  "PresenceContext",
  "PresenceDiff",
  "PresenceEntry",
  "PresenceOptions",
  "PresenceOwner",
  "PresenceSocket",
  "Presences",
  "Refused",
  "RemoteBroadcastHandler",
  "RemoteGapHandler",
  "Reply",
  "RequestUri",
  "ResolvedOptions",
  "Route",
  "RouteRequest",
  "RouteResponse",
  "ServeOptions",
  "Server",
  "ServerStats",
  "Session",
  "SessionOptions",
  "SessionResult",
  "SessionSource",
  "ShardContext",
  "ShardRestart",
  "SignOptions",
  "SimurghError",
  "SocketCallbacks",
  "SocketDefinition",
  "SocketInfo",
  "SocketRef",
  "SocketsRequest",
  "Stop",
  "StoredSession",
  "TaskOptions",
  "Term",
  "TokenRefusal",
  "TokenResult",
  "TopicCount",
  "TopicsRequest",
  "TrackedMeta",
  "Tuple",
  "VerifyOptions",
  "WebSocketMountOptions",
  "WebSocketOptions",
];

/** Names in `export { … }` or `export type { … }` of a file. */
function exportedNames(source: string, keyword: string): string[] {
  const lists = [...source.matchAll(new RegExp(`^${keyword} \\{([^}]*)\\}`, "gm"))];
  const names = lists.flatMap(([, list]) => (list as string).split(","));
  return names
    .map((name) => name.trim())
    .filter((name) => name !== "")
    .toSorted();
}

describe("the package", () => {
  it("exports these values", () => {
    assert.deepEqual(Object.keys(simurgh).toSorted(), VALUES);
  });

  it("exports these types", () => {
    assert.deepEqual(exportedNames(readFileSync(INDEX, "utf8"), "export type"), TYPES);
  });

  it("exports nothing but these two kinds", () => {
    const source = readFileSync(INDEX, "utf8");
    assert.deepEqual(exportedNames(source, "export"), VALUES);
    assert.doesNotMatch(source, /export \*|export default|export (?:const|function|class)/);
  });
});
