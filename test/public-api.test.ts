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
import * as postgres from "../src/postgres/index.ts";
import * as raw from "../src/raw.ts";
import * as token from "../src/token/index.ts";

interface Entry {
  readonly file: string;
  readonly module: object;
  readonly values: readonly string[];
  readonly types: readonly string[];
  /** Types that are exported because declarations of apps name them. */
  readonly named?: readonly string[];
}

const ENTRIES: Readonly<Record<string, Entry>> = {
  simurgh: {
    file: "src/index.ts",
    module: simurgh,
    values: [
      "COUNTERS",
      "ERRORS",
      "EVENTS",
      "LOG_LINES",
      "OPTIONS",
      "defineChannel",
      "defineEndpoint",
      "definePresence",
      "defineSocket",
      "defineTasks",
      "error",
      "ok",
      "reply",
      "serve",
      "stop",
      "typed",
      "verbatim",
    ],
    types: [
      "AnswersLater",
      "AnyTasks",
      "AppContext",
      "Broadcast",
      "BroadcastOptions",
      "ChannelCallbacks",
      "ChannelDefinition",
      "ChannelInfo",
      "ChannelLimits",
      "ChannelSocket",
      "ChannelTypes",
      "CheckOrigin",
      "ClientCall",
      "ConnectInfo",
      "ConnectRequest",
      "ContextOf",
      "DrainOptions",
      "DrainReport",
      "EndpointCallbacks",
      "EndpointDefinition",
      "ErrorCode",
      "ExitReason",
      "HandleInResult",
      "HandleOutResult",
      "InEvent",
      "InSchema",
      "JoinResult",
      "JsonSchema",
      "JsonText",
      "LaterReply",
      "LogSink",
      "MountDefinition",
      "Ok",
      "OkUntil",
      "Options",
      "OutSchema",
      "Params",
      "Presence",
      "PresenceCallbacks",
      "PresenceDiff",
      "PresenceEntry",
      "Rate",
      "Refused",
      "Reply",
      "Route",
      "RouteRequest",
      "RouteResponse",
      "ServeOptions",
      "Server",
      "ServerStats",
      "ShardContext",
      "SimurghError",
      "SocketCallbacks",
      "SocketDefinition",
      "SocketInfo",
      "SocketLimits",
      "Stop",
      "TaskContext",
      "TaskOptions",
      "TasksDefinition",
      "TopicCount",
      "Typed",
      "Until",
      "VerbatimHandler",
    ],
    named: [
      "BroadcastArguments",
      "BroadcastEvent",
      "BroadcastPayload",
      "ChannelLimiter",
      "ConnectCallback",
      "DeclaredReply",
      "HistoryMessage",
      "HistoryOption",
      "HistoryPage",
      "HistoryRequest",
      "InHandler",
      "KeptAt",
      "OutWriters",
      "PublishArguments",
      "PublishOptions",
      "Sent",
      "SentPayload",
      "SlowChannel",
      "SlowClientPolicy",
      "SlowPolicy",
      "SubscriptionIndexStats",
      "TopicHistory",
    ],
  },
  "simurgh/raw": {
    file: "src/raw.ts",
    module: raw,
    values: [
      "closeWith",
      "defineRawChannel",
      "defineRawSocket",
      "defineSerializer",
      "defineTransport",
      "jsonV1",
      "jsonV2",
      "memoryAdapter",
    ],
    types: [
      "Adapter",
      "AdapterModule",
      "AdapterReports",
      "AdapterSpec",
      "AnyChannelDefinition",
      "AnyMountDefinition",
      "AnyPresence",
      "BroadcastHandler",
      "ChannelDetails",
      "ChannelRoute",
      "CloseWith",
      "ConnectInfoKind",
      "ConnectInfoPairs",
      "ConnectInfoRequest",
      "ContextBroadcastOptions",
      "ControlFrame",
      "ControlSocket",
      "CookieSession",
      "DataFrame",
      "DefinedFor",
      "ErrorHandler",
      "FetchResult",
      "FilterParameters",
      "Found",
      "Frame",
      "HandshakeOptions",
      "HasAssigns",
      "HostPresence",
      "HostPresenceEntry",
      "HostPresences",
      "JsonSchemaValue",
      "LaterPayload",
      "LineLevel",
      "LongPollMountOptions",
      "MemberStats",
      "MemoryAdapterOptions",
      "Message",
      "MetaUpdate",
      "MountOptions",
      "Origin",
      "OutgoingFrame",
      "OwnRates",
      "ParamsOf",
      "PayloadArgument",
      "PresenceContext",
      "PresenceOptions",
      "PresenceOwner",
      "PresenceSocket",
      "Presences",
      "RawChannelCallbacks",
      "RawChannelDefinition",
      "RawChannelHandle",
      "RawChannelHandlers",
      "RawInResult",
      "RawInfoResult",
      "RawMountDefinition",
      "RawSocketCallbacks",
      "RawSocketDefinition",
      "RawSocketHandle",
      "RemoteBroadcastHandler",
      "RemoteGapHandler",
      "RequestUri",
      "ResolvedOptions",
      "ResponseStream",
      "RouteResult",
      "Serializer",
      "SerializerCallbacks",
      "SerializerChoice",
      "ServerMessage",
      "Session",
      "SessionSource",
      "ShardRestart",
      "SharedRates",
      "SocketsRequest",
      "SseMountOptions",
      "SseOptions",
      "StoredSession",
      "StreamListener",
      "StreamedResponse",
      "TaskArguments",
      "TaskFunction",
      "TaskFunctions",
      "TaskInput",
      "TaskName",
      "TaskResult",
      "TopicBroadcastOptions",
      "TopicsRequest",
      "TrackedMeta",
      "TransportCall",
      "TransportCallHandler",
      "TransportCallOptions",
      "TransportCallbacks",
      "TransportClient",
      "TransportConnection",
      "TransportDecision",
      "TransportDefinition",
      "TransportFigure",
      "TransportHost",
      "TransportRequest",
      "TransportStats",
      "WebSocketMountOptions",
      "WebSocketOptions",
    ],
  },
  "simurgh/postgres": {
    file: "src/postgres/index.ts",
    module: postgres,
    values: ["postgresSource", "postgresTransport"],
    types: [
      "Change",
      "ChangeMap",
      "ChangeOperation",
      "MapResult",
      "PostgresInfo",
      "PostgresOptions",
      "PostgresSourceOptions",
      "PostgresTransportOptions",
      "Row",
      "SourceMessage",
      "SourceTable",
    ],
  },
  "simurgh/token": {
    file: "src/token/index.ts",
    module: token,
    values: ["Token", "verifyJwt", "verifyPhoenixToken"],
    types: [
      "Atom",
      "Bitstring",
      "Identifier",
      "ImproperList",
      "JwksOptions",
      "JwtChecks",
      "JwtClaims",
      "JwtFailure",
      "JwtKeys",
      "JwtOptions",
      "JwtRefusal",
      "JwtResult",
      "KeyOptions",
      "PhoenixTokenFailure",
      "PhoenixTokenOptions",
      "PhoenixTokenResult",
      "SecretHolder",
      "SessionOptions",
      "SessionResult",
      "SignOptions",
      "Term",
      "TokenIssues",
      "TokenRefusal",
      "TokenResult",
      "Tuple",
      "VerifyOptions",
    ],
  },
};

/** Names in `export { … }` or `export type { … }` of a file. */
function exportedNames(source: string, keyword: string): string[] {
  const lists = [...source.matchAll(new RegExp(`^${keyword} \\{([^}]*)\\}`, "gm"))];
  const names = lists.flatMap(([, list]) => (list as string).split(","));
  return names
    .map((name) => name.trim())
    .filter((name) => name !== "")
    .toSorted();
}

function sourceOf({ file }: Entry): string {
  return readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
}

for (const [name, entry] of Object.entries(ENTRIES)) {
  describe(name, () => {
    it("exports these values", () => {
      assert.deepEqual(Object.keys(entry.module).toSorted(), entry.values);
    });

    it("exports these types", () => {
      const types = [...entry.types, ...(entry.named ?? [])].toSorted();
      assert.deepEqual(exportedNames(sourceOf(entry), "export type"), types);
    });

    it("exports nothing but these two kinds", () => {
      const source = sourceOf(entry);
      assert.deepEqual(exportedNames(source, "export"), entry.values);
      assert.doesNotMatch(source, /export \*|export default|export (?:const|function|class)/);
    });
  });
}

describe("the package", () => {
  it("has a root that can be learned: few values and types", () => {
    const { values = [], types = [] } = ENTRIES["simurgh"] ?? {};
    assert.ok(values.length > 0 && values.length <= 17, `${values.length} values`);
    assert.ok(types.length > 0 && types.length <= 64, `${types.length} types`);
  });

  it("exports each name once", () => {
    const all = Object.values(ENTRIES).flatMap(({ values, types, named = [] }) => [
      ...values,
      ...types,
      ...named,
    ]);
    const doubled = all.filter((name, at) => all.indexOf(name) < at);
    assert.deepEqual(doubled, []);
  });
});
