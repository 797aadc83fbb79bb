/**
 * The names this package exports, and nothing else.
 */

export { serve } from "./server/server.ts";
export type { ServeOptions } from "./server/serve-options.ts";
export type { ServerStats } from "./server/server-stats.ts";
export type { HostPresence, Server } from "./server/server.ts";
export type { DrainOptions } from "./server/drain-plan.ts";
export type { DrainReport } from "./server/node-drain.ts";
export type {
  HostPresenceEntry,
  HostPresences,
  SocketsRequest,
  TopicsRequest,
} from "./server/introspection.ts";
export type { MemberStats } from "./server/member-stats.ts";
export type { ShardRestart } from "./server/shard-restarts.ts";
export type { ChannelDetails, ChannelInfo, SocketInfo } from "./shard/introspection.ts";
export type { TopicCount } from "./pubsub/topic-counts.ts";
export { defineEndpoint } from "./endpoint/endpoint.ts";
export type {
  AnyMountDefinition,
  EndpointCallbacks,
  EndpointDefinition,
  MountDefinition,
  RawMountDefinition,
} from "./endpoint/endpoint.ts";
export type { MountOptions } from "./transport/mount-options.ts";
export type { LongPollMountOptions } from "./transport/longpoll/longpoll-options.ts";
export type {
  WebSocketMountOptions,
  WebSocketOptions,
} from "./transport/websocket/websocket-options.ts";
export type { AppContext, ContextOf, ShardContext } from "./channel/context.ts";
export { defineSocket } from "./socket/definition.ts";
export type { ConnectInfo, ConnectRequest, Params, RequestUri } from "./socket/connect-request.ts";
export type { ControlSocket, SocketCallbacks, SocketDefinition } from "./socket/definition.ts";
export type { SocketLimits } from "./socket/limits.ts";
export type { Rate } from "./limits/rate.ts";
export type { OwnRates } from "./limits/own-limits.ts";
export type { SharedRates } from "./limits/shared-limits.ts";
export type { ChannelLimits } from "./channel/limits.ts";
export { defineRawSocket } from "./socket/raw-definition.ts";
export type {
  RawInfoResult,
  RawInResult,
  RawSocketHandle,
  RawSocketCallbacks,
  RawSocketDefinition,
} from "./socket/raw-definition.ts";
export type { ControlFrame, DataFrame, OutgoingFrame } from "./socket/frame.ts";
export { closeWith } from "./socket/close-with.ts";
export type { CloseWith } from "./socket/close-with.ts";
export type { AnyChannelDefinition, ChannelRoute } from "./socket/channel-router.ts";
export { defineChannel } from "./channel/definition.ts";
export type { ChannelCallbacks, ChannelDefinition } from "./channel/definition.ts";
export type { AnyTasks, ChannelSocket, PayloadArgument } from "./channel/channel-socket.ts";
export type {
  AnswersLater,
  ChannelTypes,
  InEvent,
  InSchema,
  OutSchema,
} from "./channel/schemas/declarations.ts";
export type { JsonSchema, JsonSchemaValue } from "./channel/schemas/json-schema.ts";
export { typed } from "./channel/schemas/typed.ts";
export type { Typed } from "./channel/schemas/typed.ts";
export { verbatim } from "./channel/verbatim.ts";
export type { VerbatimHandler } from "./channel/verbatim.ts";
export { defineRawChannel } from "./channel/raw-definition.ts";
export type {
  RawChannelHandle,
  RawChannelCallbacks,
  RawChannelDefinition,
  RawChannelHandlers,
} from "./channel/raw-definition.ts";
export type { Message } from "./protocol/message.ts";
export { defineSerializer } from "./protocol/custom-serializer.ts";
export type { SerializerCallbacks, ServerMessage } from "./protocol/custom-serializer.ts";
export type { JsonText } from "./protocol/json-text.ts";
export { jsonV1 } from "./protocol/json-v1.ts";
export { jsonV2 } from "./protocol/json-v2.ts";
export type { Frame, Serializer } from "./protocol/serializer.ts";
export type { SerializerChoice } from "./protocol/version.ts";
export { defineTasks } from "./channel/tasks/task-definition.ts";
export type {
  TaskArguments,
  TaskContext,
  TaskFunction,
  TaskFunctions,
  TaskInput,
  TaskName,
  TaskResult,
  TasksDefinition,
} from "./channel/tasks/task-definition.ts";
export type { TaskOptions } from "./channel/tasks/tasks.ts";
export { error, ok, reply, stop } from "./callbacks/results.ts";
export type {
  ExitReason,
  HandleInResult,
  HandleOutResult,
  JoinResult,
  Ok,
  OkUntil,
  Refused,
  Reply,
  Stop,
} from "./callbacks/results.ts";
export type { Until } from "./callbacks/expiry.ts";
export type { LaterPayload, LaterReply } from "./channel/later-reply.ts";
export { definePresence } from "./presence/presence.ts";
export type {
  AnyPresence,
  Found,
  MetaUpdate,
  Presence,
  PresenceOwner,
  PresenceSocket,
} from "./presence/presence.ts";
export type {
  FetchResult,
  PresenceCallbacks,
  PresenceContext,
  PresenceDiff,
  PresenceEntry,
  PresenceOptions,
  Presences,
  TrackedMeta,
} from "./presence/definition.ts";
export type { Broadcast, BroadcastHandler } from "./pubsub/envelope.ts";
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
  TransportCallbacks,
  TransportClient,
  TransportConnection,
  TransportDecision,
  TransportDefinition,
  TransportHost,
  TransportRequest,
} from "./transport/custom/definition.ts";
export type { Route, RouteRequest, RouteResult } from "./transport/http/routes.ts";
export type { RouteResponse } from "./transport/http/answer.ts";
export type {
  ResponseStream,
  StreamedResponse,
  StreamListener,
} from "./transport/http/response-stream.ts";
export type { ErrorHandler, HandshakeOptions } from "./transport/handshake/handshake-options.ts";
export type { CheckOrigin, Origin } from "./transport/handshake/origin.ts";
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
export { ERRORS } from "./errors.ts";
export type { ErrorCode, SimurghError } from "./errors.ts";
export { LOG_LINES } from "./log/logger.ts";
export type { LineLevel, LogSink } from "./log/logger.ts";
export type { FilterParameters } from "./log/filter.ts";
export { OPTIONS } from "./options/options.ts";
export type { Options, ResolvedOptions } from "./options/options.ts";
export { Token } from "./token/token.ts";
export { verifyPhoenixToken } from "./token/phoenix-token.ts";
export type {
  PhoenixTokenFailure,
  PhoenixTokenOptions,
  PhoenixTokenResult,
  SecretHolder,
} from "./token/phoenix-token.ts";
export { verifyJwt } from "./token/jwt.ts";
export type { JwtFailure, JwtRefusal, JwtResult } from "./token/jwt.ts";
export type { JwtChecks, JwtClaims, JwtKeys, JwtOptions } from "./token/jwt-options.ts";
export type { JwksOptions } from "./token/jwks.ts";
export type { TokenIssues } from "./token/token-schema.ts";
export type { TokenRefusal, TokenResult } from "./token/payload.ts";
export type { SessionResult } from "./token/session.ts";
export type { Atom, Bitstring, Identifier, ImproperList, Term, Tuple } from "./token/terms.ts";
export type {
  KeyOptions,
  SessionOptions,
  SignOptions,
  VerifyOptions,
} from "./token/token-options.ts";
export { EVENTS } from "./telemetry.ts";
