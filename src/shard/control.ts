/**
 * What main and a shard, or the link, tell each other about their lives. No broadcast goes here.
 *
 *   main                         shard
 *     |  workerData: MemberStart   |
 *     |--------------------------->|  loads the app module, runs start
 *     |<------------- ready -------|  with the app's descriptor, and its outgoing schemas
 *     |                            |  … serves …
 *     |-- drain ------------------>|  closes connections, ends channels
 *     |-- drain ------------------>|  again: at another pace
 *     |<----------- drained -------|  with what it closed
 *     |-- finish ----------------->|  runs stop, sends what waits for other threads
 *     |<---------- finished -------|
 *     |-- stop ------------------->|  closes the app; the thread runs dry
 *     |<---------- leaving --------|  or: it must end by itself (process.exit)
 *     |<---------- rotation -------|  overloaded: no new connections; recovered: some again
 *     |-- retire n --------------->|  another member ended: forget it
 *     |<---------- retired n ------|
 *     |<---------- task i ---------|  for the pool; or taskCancel i
 *     |-- taskDone i ------------->|  or taskFailed i
 *     |-- ask i ------------------>|  what it has: subscribers, sockets
 *     |<---------- answer i -------|
 *
 * Runs on: main and shards, link. Types only.
 */

import type { OutgoingSchemas } from "../endpoint/outgoing-schemas.ts";
import type { RateTableMemory } from "../memory/rate-table.ts";
import type { AdapterSpec } from "../pubsub/adapter.ts";
import type { MemberMemory } from "../pubsub/member.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { DrainCounts, DrainPace } from "../transport/drain.ts";
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

/** Shared memory of a node: what each of its threads is given. */
export interface NodeMemory extends MemberMemory {
  readonly counters: SharedArrayBuffer;
  readonly life: SharedArrayBuffer;
  /** Buckets of rate limits that all shards share. */
  readonly rates: RateTableMemory;
}

/** What a shard's thread is started with. */
export interface ShardStart {
  readonly memory: NodeMemory;
  readonly options: ResolvedOptions;
  readonly member: number;
  readonly shard: number;
  /** How many threads of this shard there were before. */
  readonly predecessors: number;
  /** URL of the app module. */
  readonly app: string;
  readonly data: unknown;
}

/** What the link's thread is started with. */
export interface LinkStart {
  readonly memory: NodeMemory;
  readonly options: ResolvedOptions;
  readonly member: number;
  readonly adapter: AdapterSpec;
  /** Whether another thread was the link before. */
  readonly isReplacement: boolean;
}

/** What a shard closed in its drain. */
export interface ShardDrain extends DrainCounts {
  /** Of the connections, long-poll sessions. */
  readonly sessions: number;
  /** Channels that were joined as it began. */
  readonly channels: number;
  /** Channels whose `terminate` has not settled in time. */
  readonly unsettled: number;
}

/** From main. */
export type MainMessage =
  | { readonly kind: "drain"; readonly pace: DrainPace }
  | { readonly kind: "finish" }
  | { readonly kind: "cut" }
  | { readonly kind: "stop" }
  /** `hasLost`: it ended with records that were still to come. */
  | { readonly kind: "retire"; readonly member: number; readonly hasLost: boolean }
  | { readonly kind: "ask"; readonly id: number; readonly question: Question }
  | TaskAnswer;

/** To main. */
export type MemberMessage =
  | {
      readonly kind: "ready";
      readonly descriptor: number;
      readonly outgoing: readonly (readonly OutgoingSchemas[])[];
    }
  | { readonly kind: "failed"; readonly error: ErrorReport }
  | { readonly kind: "drained"; readonly drain: ShardDrain }
  | { readonly kind: "finished" }
  | { readonly kind: "leaving" }
  | { readonly kind: "rotation"; readonly isIn: boolean }
  | { readonly kind: "retired"; readonly member: number }
  | AnswerMessage
  | TaskMessage;

/** To main: what a shard has, as it was asked. */
export interface AnswerMessage {
  readonly kind: "answer";
  readonly id: number;
  readonly answer: Answer;
}
