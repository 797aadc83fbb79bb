/**
 * What the type of an app says: its topics, and the events and payloads of their channels.
 *
 * Runs on: nowhere; types only.
 */

import type { ChannelDefinition } from "../channel/definition.ts";
import type { ChannelTypes } from "../channel/schemas/declarations.ts";
import type { EndpointDefinition } from "./endpoint.ts";

import type { BroadcastOptions } from "../pubsub/broadcast-options.ts";

/** Channels by pattern of an app; of its mount at a path, where there is one. */
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

/** The topics that a pattern stands for. */
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

// Distributes over the mounts. An exact topic wins over the patterns that match it as well.
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

/** Topics that an app has channels for. */
export type AppTopic<App, Path extends string = string> = Matching<
  KeysOfEach<ChannelsAt<App, Path>>
>;

/** What a client may know of the channel of a topic; never: there is none. */
export type AppChannel<App, Topic, Path extends string = string> = Found<
  ChannelsAt<App, Path>,
  Topic
>;

/** Events that may be broadcast to a topic: those that its channel declares, else any. */
export type BroadcastEvent<App, Topic> = [AppChannel<App, Topic>] extends [never]
  ? string
  : KeysOfEach<AppChannel<App, Topic>["out"]> & string;

/** The payload of a broadcast, which may be left out if an empty object matches, and its options. */
export type BroadcastArguments<Payload> = object extends Payload
  ? [payload?: Payload, options?: BroadcastOptions]
  : [payload: Payload, options?: BroadcastOptions];

/** Payload of an event that is broadcast to a topic. */
export type BroadcastPayload<App, Topic, Event> = [AppChannel<App, Topic>] extends [never]
  ? unknown
  : OutPayload<AppChannel<App, Topic>, Event>;

type OutPayload<Types extends ChannelTypes, Event> = Types extends unknown
  ? Event extends keyof Types["out"]
    ? Types["out"][Event]
    : never
  : never;
