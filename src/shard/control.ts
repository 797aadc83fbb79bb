/**
 * Control messages between main and a shard, the link or a keeper. Broadcasts never use them.
 *
 *   main                         shard
 *     |  workerData: the start     |
 *     |--------------------------->|  loads the app module, runs `start`
 *     |<------------- ready -------|  with the engine app's descriptor, outgoing schemas, and paths
 *     |-- listen ----------------->|  on the node's port, or no more; only if main does not deal connections
 *     |<--------- listening -------|  or the port is taken
 *     |                            |  … serves …
 *     |-- cut -------------------->|  closes all connections at once
 *     |-- drain ------------------>|  closes connections in batches, ends channels
 *     |-- drain ------------------>|  again: changes the pace
 *     |<----------- drained -------|  with counts
 *     |-- finish ----------------->|  runs `stop`, sends records that wait for other threads
 *     |<---------- finished -------|
 *     |-- stop ------------------->|  closes the engine's app; the thread ends
 *     |<---------- leaving --------|  the thread ends by itself (process.exit)
 *     |-- kept ------------------->|  which topics are kept; to the link only
 *     |<---------- keeping --------|
 *     |<---------- rotation -------|  take it out of the rotation (overloaded), or put it back
 *     |-- retire n --------------->|  member n ended: forget it
 *     |<---------- retired n ------|
 *     |<---------- task i ---------|  for the pool; or taskCancel i
 *     |-- taskDone i ------------->|  or taskFailed i
 *     |-- ask i ------------------>|  a question, such as the number of subscribers
 *     |<---------- answer i -------|
 *
 * Runs on: main, shards, link, keepers. Types only.
 */

import type { HandedOver } from "../channel/tasks/tasks.ts";
import type { OutgoingSchemas } from "../endpoint/outgoing-schemas.ts";
import type { AddressCountsMemory } from "../memory/address-counts.ts";
import type { RateTableMemory } from "../memory/rate-table.ts";
import type { AdapterSpec } from "../pubsub/adapter.ts";
import type { KeptPatterns } from "../pubsub/kept-topics.ts";
import type { MemberMemory } from "../pubsub/member.ts";
import type { OutputMemory } from "../output/queue-layout.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { DrainCounts, DrainPace } from "../transport/drain.ts";
import type { EngineChoice } from "../transport/engine/engine.ts";
import type { ListeningPlace } from "../transport/engine/listener-port.ts";
import type { TlsFiles } from "../transport/engine/tls-files.ts";
import type { ErrorReport } from "../error-report.ts";
import type { TaskAnswer, TaskMessage } from "../tasks/task-messages.ts";
import type { Answer, Question } from "./introspection.ts";

export type { DrainPace } from "../transport/drain.ts";
export type {
  Answer,
  Answers,
  ChannelDetails,
  ChannelInfo,
  PresenceQuestion,
  Question,
  SocketInfo,
} from "./introspection.ts";

/** The shared memory of a node, which is passed to each of its threads. */
export interface NodeMemory extends MemberMemory {
  readonly counters: SharedArrayBuffer;
  readonly life: SharedArrayBuffer;
  /** Notes of running callbacks. */
  readonly running: SharedArrayBuffer;
  /** What each member holds for its clients and for other members. */
  readonly buffers: SharedArrayBuffer;
  /** What custom transports measure. */
  readonly figures: SharedArrayBuffer;
  /** Buckets of the rate limits that apply across all shards. */
  readonly rates: RateTableMemory;
  /** Connections of each client address; undefined if they are not limited. */
  readonly addresses: AddressCountsMemory | undefined;
}

/** What a shard is started with. */
export interface ShardStart {
  readonly memory: NodeMemory;
  readonly options: ResolvedOptions;
  readonly member: number;
  readonly shard: number;
  /** Number of threads that this shard had before this one. */
  readonly predecessors: number;
  /**
   * The topics that are kept, as the server started with. Undefined for the first thread of a shard,
   * which takes them from its endpoint.
   */
  readonly kept: KeptPatterns | undefined;
  /** The certificate; absent if the shard serves http. */
  readonly tls?: TlsFiles | undefined;
  /** URL of the app module. */
  readonly app: string;
  readonly data: unknown;
  /** What requests must carry, if the server is attached to another one. */
  readonly attachSecret?: string | undefined;
}

/** What a shard's thread is started with. */
export interface ShardThreadStart extends ShardStart {
  readonly engine: EngineChoice;
  readonly output: OutputMemory;
}

/** The `workerData` of a shard. */
export interface ShardWorkerData extends ShardThreadStart {
  /**
   * A port that is never used. It closes when the thread ends, which main learns before the engine can
   * abort the process.
   */
  readonly lifeline: HandedOver;
}

/** What the link and the keepers are started with. */
export interface EnginelessStart {
  readonly memory: NodeMemory;
  readonly output: OutputMemory;
  readonly options: ResolvedOptions;
  readonly member: number;
}

/** The `workerData` of the link. */
export interface LinkStart extends EnginelessStart {
  readonly adapter: AdapterSpec;
  /** The topics that are kept; undefined if main does not know them yet. */
  readonly kept: KeptPatterns | undefined;
  /** Whether this thread replaces an earlier link. */
  readonly isReplacement: boolean;
}

/** A file of histories that main has opened. */
export interface OpenHistoryFile {
  readonly path: string;
  readonly descriptor: number;
}

/** The files of a keeper. */
export interface KeeperFiles {
  /** Files of all keepers of an earlier process. They have been removed, so nobody else can use them. */
  readonly saved: readonly OpenHistoryFile[];
  /** Whether this keeper logs which of them cannot be used. */
  readonly isFirst: boolean;
  /** An empty file, to be written and renamed to `path` when the server stops. */
  readonly part: OpenHistoryFile;
  readonly path: string;
}

/** The `workerData` of a keeper of histories. */
export interface KeeperStart extends EnginelessStart {
  readonly kept: KeptPatterns;
  /** Undefined if histories are not kept over a restart. */
  readonly files: KeeperFiles | undefined;
  /** Whether this thread replaces an earlier one, whose histories are gone. */
  readonly isReplacement: boolean;
}

/** Counts of what a shard closed in a drain. */
export interface ShardDrain extends DrainCounts {
  /** Number of these connections that were long-poll sessions. */
  readonly sessions: number;
  /** Number of joined channels when the drain began. */
  readonly channels: number;
  /** Number of channels and raw sockets whose `terminate` did not settle in time. */
  readonly unsettled: number;
}

/** Where a shard listens, or that it stops: at once if the node is full, otherwise after those that wait. */
export type ListenMessage =
  | { readonly kind: "listen"; readonly at: ListeningPlace }
  | { readonly kind: "listen"; readonly at: undefined; readonly isFull: boolean };

/** A message from main. */
export type MainMessage =
  /** `at` is undefined if it must stop listening. */
  | ListenMessage
  | { readonly kind: "drain"; readonly pace: DrainPace }
  | { readonly kind: "finish" }
  | { readonly kind: "cut" }
  | { readonly kind: "stop" }
  | { readonly kind: "kept"; readonly kept: KeptPatterns }
  /** `hasLost`: the member ended with unsent records. */
  | { readonly kind: "retire"; readonly member: number; readonly hasLost: boolean }
  | { readonly kind: "ask"; readonly id: number; readonly question: Question }
  | TaskAnswer;

/** The name of a figure in the memory of a shard's figures. */
export interface FigureName {
  readonly figure: number;
  readonly transport: string;
  readonly name: string;
}

/** A message to main. */
export type MemberMessage =
  | {
      readonly kind: "ready";
      /** Undefined if the thread listens itself. */
      readonly descriptor: number | undefined;
      readonly outgoing: readonly (readonly OutgoingSchemas[])[];
      readonly kept: KeptPatterns;
      /** The paths of its sockets' WebSockets and long-polls. */
      readonly paths: readonly string[];
    }
  | { readonly kind: "failed"; readonly error: ErrorReport }
  | { readonly kind: "drained"; readonly drain: ShardDrain }
  | { readonly kind: "listening"; readonly isListening: boolean }
  | { readonly kind: "finished" }
  | { readonly kind: "leaving" }
  | { readonly kind: "keeping" }
  | { readonly kind: "rotation"; readonly isIn: boolean }
  | { readonly kind: "retired"; readonly member: number }
  | { readonly kind: "figure"; readonly named: FigureName }
  | AnswerMessage
  | TaskMessage;

/** A shard's answer to a question. */
export interface AnswerMessage {
  readonly kind: "answer";
  readonly id: number;
  readonly answer: Answer;
}
