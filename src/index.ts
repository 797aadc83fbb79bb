/**
 * `simurgh`: the API that most apps need. The other entry points are `simurgh/token`,
 * `simurgh/client`, `simurgh/testing`, and `simurgh/raw` for custom components.
 */

// First, so that a second copy is reported before anything else can fail.
import "./package-copy.ts";

export { serve } from "./server/serve.ts";
export type { ServeOptions } from "./server/serve-options.ts";
export type { ServerStats } from "./server/server-stats.ts";
export type { Server } from "./server/server.ts";
export type { DrainOptions } from "./server/drain-plan.ts";
export type { DrainReport } from "./server/node-drain.ts";
export type { ChannelInfo, SocketInfo } from "./shard/introspection.ts";
export type { TopicCount } from "./pubsub/topic-counts.ts";
export { defineEndpoint } from "./endpoint/endpoint.ts";
export type {
  EndpointCallbacks,
  EndpointDefinition,
  MountDefinition,
} from "./endpoint/endpoint.ts";
export type { AppContext, ContextOf, ShardContext } from "./channel/context.ts";
export { defineSocket } from "./socket/definition.ts";
export type { ConnectInfo, ConnectRequest, Params } from "./socket/connect-request.ts";
export type { SocketCallbacks, SocketDefinition } from "./socket/definition.ts";
export type { SocketLimits } from "./socket/limits.ts";
export type { Rate } from "./limits/rate.ts";
export type { ChannelLimits } from "./channel/limits.ts";
export { defineChannel } from "./channel/definition.ts";
export type { ChannelCallbacks, ChannelDefinition } from "./channel/definition.ts";
export type { AnyTasks, ChannelSocket } from "./channel/channel-socket.ts";
export type {
  AnswersLater,
  ChannelTypes,
  ClientCall,
  InEvent,
  InSchema,
  OutSchema,
} from "./channel/schemas/declarations.ts";
export type { JsonSchema } from "./channel/schemas/json-schema.ts";
export { typed } from "./channel/schemas/typed.ts";
export type { Typed } from "./channel/schemas/typed.ts";
export { verbatim } from "./channel/verbatim.ts";
export type { VerbatimHandler } from "./channel/verbatim.ts";
export type { JsonText } from "./protocol/json-text.ts";
export { defineTasks } from "./channel/tasks/task-definition.ts";
export type { TaskContext, TasksDefinition } from "./channel/tasks/task-definition.ts";
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
export type { LaterReply } from "./channel/later-reply.ts";
export { definePresence } from "./presence/presence.ts";
export type { Presence } from "./presence/presence.ts";
export type { PresenceCallbacks, PresenceDiff, PresenceEntry } from "./presence/definition.ts";
export type { Broadcast } from "./pubsub/envelope.ts";
export type { Route, RouteRequest } from "./transport/http/routes.ts";
export type { RouteResponse } from "./transport/http/answer.ts";
export type { CheckOrigin } from "./transport/handshake/origin.ts";
export { COUNTERS } from "./memory/counters-layout.ts";
export { ERRORS } from "./errors.ts";
export type { ErrorCode, SimurghError } from "./errors.ts";
export { LOG_LINES } from "./log/logger.ts";
export type { LogSink } from "./log/sink.ts";
export { OPTIONS } from "./options/options.ts";
export type { Options } from "./options/options.ts";
export { EVENTS } from "./telemetry.ts";
export type { BroadcastOptions } from "./pubsub/broadcast-options.ts";

// Types that the compiler names in the declarations of apps that export definitions, servers or
// parts of them. Few programs import these.
export type {
  BroadcastArguments,
  BroadcastEvent,
  BroadcastPayload,
  PublishArguments,
} from "./endpoint/app-types.ts";
export type { HistoryOption } from "./channel/history-option.ts";
export type { PublishOptions } from "./pubsub/broadcast-options.ts";
export type { HistoryMessage, HistoryPage, HistoryRequest } from "./pubsub/history-reader.ts";
export type { KeptAt } from "./pubsub/keeping.ts";
export type { TopicHistory } from "./pubsub/kept-topics.ts";
export type { SlowChannel, SlowPolicy } from "./channel/definition.ts";
export type { ChannelLimiter } from "./channel/limits.ts";
export type { DeclaredReply, Sent, SentPayload } from "./channel/schemas/declarations.ts";
export type { InHandler } from "./channel/schemas/in-handlers.ts";
export type { OutWriters } from "./channel/schemas/out-writers.ts";
export type { SubscriptionIndexStats } from "./pubsub/subscription-index.ts";
export type { ConnectCallback } from "./socket/connect-params.ts";
export type { SlowClientPolicy } from "./socket/definition.ts";
