/**
 * A channel as its callbacks see it: one connection's membership of one topic.
 *
 * Runs on: shard.
 */

import type { AppContext } from "./context.ts";
import type { Until } from "../callbacks/expiry.ts";
import type {
  TaskArguments,
  TaskName,
  TaskResult,
  TasksDefinition,
} from "./tasks/task-definition.ts";

/** Tasks of a channel that declares none: any name, any input. */
export type AnyTasks = TasksDefinition<Readonly<Record<string, (input: unknown) => unknown>>>;

/** The payload argument after an event; optional if an empty object is a valid payload. */
export type PayloadArgument<Payload> = object extends Payload
  ? [payload?: Payload]
  : [payload: Payload];

/**
 * A channel as its callbacks see it. `out`, `info` and `tasks` of its definition determine what it
 * may send to others and to itself, and which tasks it may run.
 */
export interface ChannelSocket<
  Assigns = object,
  Locals = Record<string, unknown>,
  Out = Readonly<Record<string, unknown>>,
  Info = unknown,
  Tasks = AnyTasks,
  Context = object,
> {
  /** The topic that was joined. */
  readonly topic: string;
  /** The socket's id, or null. */
  readonly id: string | null;
  /** What `connect` returned, overridden by the route's `assigns`. Frozen; see `assign`. */
  readonly assigns: Readonly<Assigns>;
  /** This channel's own state: what `locals` of its definition returned, or an empty object. */
  readonly locals: Locals;
  /** The join's join_ref, any JSON value; the join's ref if the client sent no join_ref. */
  readonly joinRef: unknown;
  /** The ref of the message that is being handled, or null. */
  readonly ref: unknown;
  /** `websocket`, `longpoll`, or the name of a custom transport. */
  readonly transport: string;
  /** Index of the shard that serves the channel. */
  readonly shard: number;
  /** The shard's context, including what `start` of the endpoint returned. */
  readonly context: AppContext<Context>;

  /**
   * Merges changes into the assigns of this channel; the socket's other channels keep theirs.
   *
   * @param changes - the changes, or a function that returns them for the current assigns
   */
  assign(changes: Partial<Assigns> | ((assigns: Readonly<Assigns>) => Partial<Assigns>)): void;

  /**
   * Sends a message to this client. A Uint8Array, Buffer or ArrayBuffer is sent as a binary frame,
   * which clients on version 1 cannot receive; anything else is sent as JSON.
   *
   * @throws SIM_ERR_NOT_JOINED before the join was answered; SIM_ERR_PAYLOAD if the payload cannot
   *   be sent
   */
  push<Event extends keyof Out & string>(
    event: Event,
    ...payload: PayloadArgument<Out[Event]>
  ): void;
  /** Sends to all subscribers of the topic on all nodes, including this one. Throws like `push`. */
  broadcast<Event extends keyof Out & string>(
    event: Event,
    ...payload: PayloadArgument<Out[Event]>
  ): void;
  /** Sends to all subscribers of the topic on all nodes, except this one. Throws like `push`. */
  broadcastFrom<Event extends keyof Out & string>(
    event: Event,
    ...payload: PayloadArgument<Out[Event]>
  ): void;
  /** Sends this channel a message. `handleInfo` gets it after everything that waits already. */
  send(message: Info): void;
  /**
   * Sends this channel a message after a delay.
   *
   * @param delayMs - 0 to 2 147 483 647
   * @returns a function that cancels it; the end of the channel cancels it too
   */
  sendAfter(delayMs: number, message: Info): () => void;
  /**
   * Subscribes to another topic. Its broadcasts arrive in `handleInfo` as `{topic, event, payload}`.
   *
   * Each channel gets its own copy of the payload, parsed for it alone. If thousands of channels of
   * a shard need one busy topic, let their clients join that topic, which costs no parsing.
   */
  subscribe(topic: string): void;
  /** Unsubscribes from a topic that was passed to `subscribe`. */
  unsubscribe(topic: string): void;

  /** When the connection expires (ms since 1970); undefined: never. */
  readonly expiresAtMs: number | undefined;
  /**
   * Changes when the whole connection expires, for a client that has presented a new token.
   *
   * @param assigns - assigns of channels that join from now on, as `connect` would return them.
   *   Channels that have joined keep theirs, including this one: see `assign`
   * @returns false, with nothing changed, if the socket's `id` differs for these assigns (they
   *   belong to somebody else), or if the connection is gone
   * @throws SIM_ERR_OPTION_INVALID if `until` has no time in milliseconds
   */
  renew(assigns: Assigns, until: Until): boolean;

  /**
   * Runs a task of the endpoint's tasks module on another thread, for work that would block this
   * one. If the handler returns or awaits the promise, the channel's next message waits for it. To
   * get the result as a message, use `void socket.task(…).then((result) => socket.send(result))`.
   *
   * When the channel ends, its tasks are cancelled and their promises never settle. Release
   * resources in `terminate`.
   *
   * @param input - the task's argument, which must survive a structured clone. Options follow it: a
   *   `signal` that cancels the task, and `transfer`, which lists what to hand over, not copy
   * @throws SIM_ERR_TASKS, SIM_ERR_TASK_QUEUE_FULL, SIM_ERR_TASK_TIMEOUT, what the task threw,
   *   or the reason of the signal; all as rejections
   */
  task<Name extends TaskName<Tasks>>(
    name: Name,
    ...input: TaskArguments<Tasks, Name>
  ): Promise<TaskResult<Tasks, Name>>;
}
