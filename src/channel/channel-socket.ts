/**
 * A channel as seen by its callbacks: one connection's membership of one topic.
 *
 * Runs on: shard.
 */

import type { AppContext } from "./context.ts";
import type { Until } from "../callbacks/expiry.ts";
import type { TopicBroadcastOptions } from "../pubsub/broadcast-options.ts";
import type {
  TaskArguments,
  TaskName,
  TaskResult,
  TasksDefinition,
} from "./tasks/task-definition.ts";

/** Tasks of a channel that does not declare any: any name, any input. */
export type AnyTasks = TasksDefinition<Readonly<Record<string, (input: unknown) => unknown>>>;

/** The payload argument after an event; optional if an empty object is a valid payload. */
export type PayloadArgument<Payload> = object extends Payload
  ? [payload?: Payload]
  : [payload: Payload];

/**
 * A channel as seen by its callbacks. `out`, `info` and `tasks` of its definition determine the
 * messages that it may send to others and to itself, and the tasks that it may run.
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
  /** Assigns returned by `connect`, overridden by the route's `assigns`. Frozen; see `assign`. */
  readonly assigns: Readonly<Assigns>;
  /**
   * This channel's own state: the value returned by `locals` of its definition, or an empty object.
   */
  readonly locals: Locals;
  /** The join's join_ref (any JSON value), or the join's ref if the client sent no join_ref. */
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
   * Merges changes into the assigns of this channel. The socket's other channels are not affected.
   *
   * @param changes - the changes, or a function that returns them for the current assigns
   */
  assign(changes: Partial<Assigns> | ((assigns: Readonly<Assigns>) => Partial<Assigns>)): void;

  /**
   * Sends a message to this client. A Uint8Array, Buffer or ArrayBuffer is sent as a binary frame,
   * which clients on version 1 cannot receive; anything else is sent as JSON.
   *
   * @throws SIM_ERR_NOT_JOINED before the join is answered; SIM_ERR_PAYLOAD if the payload cannot
   *   be sent
   */
  push<Event extends keyof Out & string>(
    event: Event,
    ...payload: PayloadArgument<Out[Event]>
  ): void;
  /**
   * Sends to all subscribers of the topic on all nodes, including this one. Throws like `push`, and
   * SIM_ERR_OPTION_INVALID.
   */
  broadcast<Event extends keyof Out & string>(
    event: Event,
    ...payload: [...PayloadArgument<Out[Event]>, options?: TopicBroadcastOptions]
  ): void;
  /** Sends to all subscribers of the topic on all nodes, except this one. Throws like `broadcast`. */
  broadcastFrom<Event extends keyof Out & string>(
    event: Event,
    ...payload: [...PayloadArgument<Out[Event]>, options?: TopicBroadcastOptions]
  ): void;
  /**
   * Sends a message to this channel. `handleInfo` receives it after all messages that are already
   * waiting.
   */
  send(message: Info): void;
  /**
   * Sends a message to this channel after a delay.
   *
   * @param delayMs - 0 to 2 147 483 647
   * @returns a function that cancels the message; it is also cancelled when the channel ends
   */
  sendAfter(delayMs: number, message: Info): () => void;
  /**
   * Subscribes to another topic. Its broadcasts arrive in `handleInfo` as `{topic, event, payload}`.
   *
   * Each channel receives its own copy of the payload, parsed separately. If thousands of channels
   * of a shard need one busy topic, let their clients join that topic, which requires no parsing.
   */
  subscribe(topic: string): void;
  /** Unsubscribes from a topic that was passed to `subscribe`. */
  unsubscribe(topic: string): void;

  /** Time when the connection expires (ms since 1970), or undefined if it never does. */
  readonly expiresAtMs: number | undefined;
  /**
   * Changes the expiry time of the whole connection, for a client that has presented a new token.
   *
   * @param assigns - assigns for channels that join from now on, as `connect` would return them.
   *   Channels that have already joined keep their assigns, including this one: see `assign`
   * @returns false, without changing anything, if the socket's `id` differs for these assigns (they
   *   belong to another user), or if the connection has ended
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
   *   `signal` that cancels the task, and `transfer`, a list of the objects to transfer instead of
   *   copying
   * @throws SIM_ERR_TASKS, SIM_ERR_TASK_QUEUE_FULL, SIM_ERR_TASK_TIMEOUT, whatever the task threw,
   *   or the reason of the signal; all as rejections
   */
  task<Name extends TaskName<Tasks>>(
    name: Name,
    ...input: TaskArguments<Tasks, Name>
  ): Promise<TaskResult<Tasks, Name>>;
}
