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
  "closeWith",
  "defineChannel",
  "defineEndpoint",
  "definePresence",
  "defineRawChannel",
  "defineRawSocket",
  "defineSerializer",
  "defineSocket",
  "defineTransport",
  "error",
  "jsonV1",
  "jsonV2",
  "memoryAdapter",
  "ok",
  "reply",
  "serve",
  "socketRef",
  "stop",
  "typed",
  "verbatim",
  "verifyJwt",
  "verifyPhoenixToken",
];

const TYPES = [
  "Adapter",
  "AdapterModule",
  "AdapterReports",
  "AdapterSpec",
  "AnyChannelDefinition",
  "AnyMountDefinition",
  "AnyPresence",
  "AnyTasks",
  "Atom",
  "Bitstring",
  "Broadcast",
  "BroadcastHandler",
  "ChannelCallbacks",
  "ChannelDefinition",
  "ChannelDetails",
  "ChannelInfo",
  "ChannelRoute",
  "ChannelSocket",
  "ChannelTypes",
  "CheckOrigin",
  "CloseWith",
  "ConnectInfo",
  "ConnectInfoKind",
  "ConnectInfoPairs",
  "ConnectInfoRequest",
  "ConnectRequest",
  "ControlFrame",
  "ControlSocket",
  "CookieSession",
  "DataFrame",
  "DrainOptions",
  "DrainReport",
  "EndpointCallbacks",
  "EndpointDefinition",
  "ErrorCode",
  "ErrorHandler",
  "ExitReason",
  "FetchResult",
  "FilterParameters",
  "Found",
  "Frame",
  "HandleInResult",
  "HandleOutResult",
  "HandshakeOptions",
  "HostPresence",
  "HostPresenceEntry",
  "HostPresences",
  "Identifier",
  "ImproperList",
  "InEvent",
  "InSchema",
  "JoinResult",
  "JsonSchema",
  "JsonSchemaValue",
  "JsonText",
  "JwksOptions",
  "JwtChecks",
  "JwtClaims",
  "JwtFailure",
  "JwtKeys",
  "JwtOptions",
  "JwtRefusal",
  "JwtResult",
  "KeyOptions",
  "LineLevel",
  "LogSink",
  "LongPollMountOptions",
  "MemberStats",
  "MemoryAdapterOptions",
  "Message",
  "MetaUpdate",
  "MountDefinition",
  "MountOptions",
  "Ok",
  "OkUntil",
  "Options",
  "Origin",
  "OutSchema",
  "OutgoingFrame",
  "Params",
  "PayloadArgument",
  "PhoenixTokenFailure",
  "PhoenixTokenOptions",
  "PhoenixTokenResult",
  "Presence",
  "PresenceCallbacks",
  "PresenceContext",
  "PresenceDiff",
  "PresenceEntry",
  "PresenceOptions",
  "PresenceOwner",
  "PresenceSocket",
  "Presences",
  "RawChannel",
  "RawChannelCallbacks",
  "RawChannelDefinition",
  "RawChannelHandlers",
  "RawInResult",
  "RawInfoResult",
  "RawMountDefinition",
  "RawSocket",
  "RawSocketCallbacks",
  "RawSocketDefinition",
  "Refused",
  "RemoteBroadcastHandler",
  "RemoteGapHandler",
  "Reply",
  "RequestUri",
  "ResolvedOptions",
  "Route",
  "RouteRequest",
  "RouteResponse",
  "SecretHolder",
  "Serializer",
  "SerializerCallbacks",
  "SerializerChoice",
  "ServeOptions",
  "Server",
  "ServerMessage",
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
  "TokenIssues",
  "TokenRefusal",
  "TokenResult",
  "TopicCount",
  "TopicsRequest",
  "TrackedMeta",
  "TransportCallbacks",
  "TransportClient",
  "TransportConnection",
  "TransportDecision",
  "TransportDefinition",
  "TransportHost",
  "TransportRequest",
  "Tuple",
  "Typed",
  "Until",
  "VerbatimHandler",
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
