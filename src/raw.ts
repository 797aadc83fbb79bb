/**
 * `simurgh/raw`: the API for custom components, such as raw sockets and channels, serializers,
 * transports and adapters; and types that few programs need to import.
 */

// First, as in index.ts.
import "./package-copy.ts";

export type { HostPresence } from "./server/server.ts";
export type {
  HostPresenceEntry,
  HostPresences,
  SocketsRequest,
  TopicsRequest,
} from "./server/introspection.ts";
export type { MemberStats } from "./server/member-stats.ts";
export type { TransportFigure, TransportStats } from "./server/transport-stats.ts";
export type { ShardRestart } from "./server/shard-restarts.ts";
export type { ChannelDetails } from "./shard/introspection.ts";
export type { AnyMountDefinition, RawMountDefinition } from "./endpoint/endpoint.ts";
export type { MountOptions } from "./transport/mount-options.ts";
export type { LongPollMountOptions } from "./transport/longpoll/longpoll-options.ts";
export type { SseMountOptions, SseOptions } from "./transport/sse/sse-options.ts";
export type {
  WebSocketMountOptions,
  WebSocketOptions,
} from "./transport/websocket/websocket-options.ts";
export type { ParamsOf, RequestUri } from "./socket/connect-request.ts";
export type { ControlSocket } from "./socket/definition.ts";
export type { OwnRates } from "./limits/own-limits.ts";
export type { SharedRates } from "./limits/shared-limits.ts";
export { defineRawSocket } from "./socket/raw-definition.ts";
export type {
  RawInResult,
  RawInfoResult,
  RawSocketCallbacks,
  RawSocketDefinition,
  RawSocketHandle,
} from "./socket/raw-definition.ts";
export type { ControlFrame, DataFrame, OutgoingFrame } from "./socket/frame.ts";
export { closeWith } from "./socket/close-with.ts";
export type { CloseWith } from "./socket/close-with.ts";
export type { AnyChannelDefinition, ChannelRoute } from "./socket/channel-router.ts";
export type { PayloadArgument } from "./channel/channel-socket.ts";
export type { JsonSchemaValue } from "./channel/schemas/json-schema.ts";
export { defineRawChannel } from "./channel/raw-definition.ts";
export type {
  RawChannelCallbacks,
  RawChannelDefinition,
  RawChannelHandle,
  RawChannelHandlers,
} from "./channel/raw-definition.ts";
export type { Message } from "./protocol/message.ts";
export { defineSerializer } from "./protocol/custom-serializer.ts";
export type { SerializerCallbacks, ServerMessage } from "./protocol/custom-serializer.ts";
export { jsonV1 } from "./protocol/json-v1.ts";
export { jsonV2 } from "./protocol/json-v2.ts";
export type { Frame, Serializer } from "./protocol/serializer.ts";
export type { SerializerChoice } from "./protocol/version.ts";
export type {
  TaskArguments,
  TaskFunction,
  TaskFunctions,
  TaskInput,
  TaskName,
  TaskResult,
} from "./channel/tasks/task-definition.ts";
export type { LaterPayload } from "./channel/later-reply.ts";
export type {
  AnyPresence,
  Found,
  MetaUpdate,
  PresenceOwner,
  PresenceSocket,
} from "./presence/presence.ts";
export type {
  FetchResult,
  PresenceContext,
  PresenceOptions,
  Presences,
  TrackedMeta,
} from "./presence/definition.ts";
export type { BroadcastHandler } from "./pubsub/envelope.ts";
export type {
  Adapter,
  AdapterModule,
  AdapterReports,
  AdapterSpec,
  RemoteBroadcastHandler,
  RemoteGapHandler,
} from "./pubsub/adapter.ts";
export { memoryAdapter } from "./pubsub/adapters/memory.ts";
export type { MemoryAdapterOptions } from "./pubsub/adapters/memory.ts";
export { defineTransport } from "./transport/custom/definition.ts";
export type {
  TransportCall,
  TransportCallbacks,
  TransportCallHandler,
  TransportCallOptions,
  TransportClient,
  TransportConnection,
  TransportDecision,
  TransportDefinition,
  TransportHost,
  TransportRequest,
} from "./transport/custom/definition.ts";
export type { RouteResult } from "./transport/http/routes.ts";
export type {
  ResponseStream,
  StreamListener,
  StreamedResponse,
} from "./transport/http/response-stream.ts";
export type { ErrorHandler, HandshakeOptions } from "./transport/handshake/handshake-options.ts";
export type { Origin } from "./transport/handshake/origin.ts";
export type {
  ConnectInfoKind,
  ConnectInfoPairs,
  ConnectInfoRequest,
} from "./transport/handshake/connect-info.ts";
export type {
  CookieSession,
  Session,
  SessionSource,
  StoredSession,
} from "./transport/handshake/cookie-session.ts";
export type { LineLevel } from "./log/logger.ts";
export type { FilterParameters } from "./log/filter.ts";
export type { ResolvedOptions } from "./options/options.ts";
export type { ContextBroadcastOptions, TopicBroadcastOptions } from "./pubsub/broadcast-options.ts";
export type { DefinedFor, HasAssigns } from "./channel/definition.ts";
