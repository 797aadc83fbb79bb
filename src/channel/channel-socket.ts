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

/** A payload behind its event; it may be left out where an empty object fits. */
export type PayloadArgument<Payload> = object extends Payload
  ? [payload?: Payload]
  : [payload: Payload];

/**
 * A channel as its callbacks see it. What it may send, to others and to itself, and which tasks it
 * may have done, follows from `out`, `info` and `tasks` of its definition.
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
  /** What `connect` gave, with the route's `assigns` over it. Frozen; see `assign`. */
  readonly assigns: Readonly<Assigns>;
  /** This channel's own state: what `locals` of its definition made, or an empty object. */
  readonly locals: Locals;
  /** The client's name for this join, any JSON value: its join_ref, or its ref where it sent none. */
  readonly joinRef: unknown;
  /** The client's name for the message that is being handled, or null. */
  readonly ref: unknown;
  /** `websocket`, or another transport's name. */
  readonly transport: string;
  /** Index of the shard that serves it. */
  readonly shard: number;
  /** The shard's context, with what `start` of the endpoint added. */
  readonly context: AppContext<Context>;

  /**
   * Replaces assigns of this channel; the socket's other channels keep theirs.
   *
   * @param changes - the new ones, or a function that gives them of those that there are
   */
  assign(changes: Partial<Assigns> | ((assigns: Readonly<Assigns>) => Partial<Assigns>)): void;

  /**
   * Sends a message to this client: an object as JSON; a Uint8Array, a Buffer or an ArrayBuffer as a
   * binary frame, which clients of version 1 cannot have.
   *
   * @throws SIM_ERR_NOT_JOINED before the join was answered; SIM_ERR_PAYLOAD for what cannot be sent
   */
  push<Event extends keyof Out & string>(
    event: Event,
    ...payload: PayloadArgument<Out[Event]>
  ): void;
  /** Sends to all subscribers of the topic on all nodes, this one included. Throws as `push`. */
  broadcast<Event extends keyof Out & string>(
    event: Event,
    ...payload: PayloadArgument<Out[Event]>
  ): void;
  /** Sends to all subscribers of the topic on all nodes but this one. Throws as `push`. */
  broadcastFrom<Event extends keyof Out & string>(
    event: Event,
    ...payload: PayloadArgument<Out[Event]>
  ): void;
  /** Gives this channel a message: its `handleInfo` gets it after what waits already. */
  send(message: Info): void;
  /**
   * Gives this channel a message after a time.
   *
   * @param delayMs - 0 to 2 147 483 647
   * @returns a function that cancels it; the end of the channel does so as well
   */
  sendAfter(delayMs: number, message: Info): () => void;
  /**
   * Listens to a further topic: its broadcasts come to `handleInfo` as `{topic, event, payload}`.
   *
   * Each channel gets a payload of its own, parsed for it alone; where thousands of a shard listen
   * to one busy topic, have them join it instead, which costs no parse.
   */
  subscribe(topic: string): void;
  /** Stops listening to a further topic. */
  unsubscribe(topic: string): void;

  /** Until when the connection may last (ms since 1970); undefined: for ever. */
  readonly expiresAtMs: number | undefined;
  /**
   * Has the whole connection last longer, or shorter: its client has shown a new token.
   *
   * @param assigns - what channels that are joined from now on get of the connection, as `connect`
   *   would give it. Those that are joined keep theirs, this one too: see `assign`
   * @returns false, and nothing has changed, where the socket's `id` says that these assigns are
   *   somebody else's, or the connection is gone
   * @throws SIM_ERR_OPTION_INVALID where `until` has no time in milliseconds
   */
  renew(assigns: Assigns, until: Until): boolean;

  /**
   * Has a task of the endpoint's tasks module run on another thread, for work that would hold
   * this one. Where the handler returns the promise or awaits it, the channel's next message waits
   * for it; `void socket.task(…).then((result) => socket.send(result))` lets it come as a message.
   *
   * When the channel ends, its tasks are cancelled and their promises never settle: what must be
   * given back then is given back in `terminate`.
   *
   * @param input - the task's argument, which must survive a structured clone; behind it options:
   *   a `signal` that ends the task, and what is to be handed over instead of copied (`transfer`)
   * @throws SIM_ERR_TASKS, SIM_ERR_TASK_QUEUE_FULL, SIM_ERR_TASK_TIMEOUT, what the task threw,
   *   or the reason of the signal; as rejections
   */
  task<Name extends TaskName<Tasks>>(
    name: Name,
    ...input: TaskArguments<Tasks, Name>
  ): Promise<TaskResult<Tasks, Name>>;
}
