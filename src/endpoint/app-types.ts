/**
 * Types derived from the type of an app: its topics, and the events and payloads of its channels.
 *
 * Runs on: any thread. Types only.
 */

import type { ChannelDefinition } from "../channel/definition.ts";
import type { ChannelTypes } from "../channel/schemas/declarations.ts";
import type { EndpointDefinition } from "./endpoint.ts";

import type { BroadcastOptions, PublishOptions } from "../pubsub/broadcast-options.ts";

/** The channels of an app's mounts at a path, by pattern. */
type ChannelsAt<App, Path extends string> =
  App extends EndpointDefinition<infer Sockets>
    ? {
        [Mount in keyof Sockets]: Mount extends Path
          ? Sockets[Mount] extends { readonly channels: infer Channels }
            ? Channels
            : never
          : never;
      }[keyof Sockets]
    : never;

/** The topics that match a pattern. */
type Matching<Pattern> = Pattern extends `${infer Prefix}*`
  ? `${Prefix}${string}`
  : Pattern extends string
    ? Pattern
    : never;

type TypesOf<Route> = Route extends { readonly channel: infer Channel }
  ? TypesOf<Channel>
  : Route extends ChannelDefinition<infer Types>
    ? Types
    : never;

// Distributes over the mounts. An exact topic takes precedence over patterns that also match it.
type Found<Channels, Topic> = Channels extends unknown
  ? Topic extends keyof Channels
    ? TypesOf<Channels[Topic]>
    : {
        [Pattern in keyof Channels]: Topic extends Matching<Pattern>
          ? TypesOf<Channels[Pattern]>
          : never;
      }[keyof Channels]
  : never;

type KeysOfEach<Union> = Union extends unknown ? keyof Union : never;

/** Topics for which an app has channels. */
export type AppTopic<App, Path extends string = string> = Matching<
  KeysOfEach<ChannelsAt<App, Path>>
>;

/** The types of a topic's channel; never if the topic has no channel. */
export type AppChannel<App, Topic, Path extends string = string> = Found<
  ChannelsAt<App, Path>,
  Topic
>;

/** Events that can be broadcast to a topic: those declared by its channel, otherwise any. */
export type BroadcastEvent<App, Topic> = [AppChannel<App, Topic>] extends [never]
  ? string
  : KeysOfEach<AppChannel<App, Topic>["out"]> & string;

/**
 * Arguments of a broadcast: the payload, which is optional if it may be an empty object, and
 * options.
 */
export type BroadcastArguments<Payload> = object extends Payload
  ? [payload?: Payload, options?: BroadcastOptions]
  : [payload: Payload, options?: BroadcastOptions];

/** Arguments of a publish, like those of a broadcast. */
export type PublishArguments<Payload> = object extends Payload
  ? [payload?: Payload, options?: PublishOptions]
  : [payload: Payload, options?: PublishOptions];

/** Payload of an event that is broadcast to a topic. */
export type BroadcastPayload<App, Topic, Event> = [AppChannel<App, Topic>] extends [never]
  ? unknown
  : OutPayload<AppChannel<App, Topic>, Event>;

type OutPayload<Types extends ChannelTypes, Event> = Types extends unknown
  ? Event extends keyof Types["out"]
    ? Types["out"][Event]
    : never
  : never;
