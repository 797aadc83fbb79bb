/**
 * The subscribers of one topic who get broadcasts in the same form.
 *
 * The form is a class: serializer, how frames leave (published by the engine, or sent one by
 * one), and which events are intercepted. A broadcast is encoded and published once per lane.
 *
 * Runs on: shard.
 */

import type { Serializer } from "../protocol/serializer.ts";
import type { Channel } from "./channel.ts";

/** What the channels of a lane have in common. */
export interface LaneClass {
  readonly serializer: Serializer;
  readonly isNative: boolean;
  /** Events that go to the channel instead of the client. */
  readonly intercepts: ReadonlyMap<string, unknown>;
  /** Stands before the topic in the engine's name for it, so that users' topics meet none of ours. */
  readonly prefix: string;
}

/** One topic's channels of one class. */
export class Lane {
  readonly kind: LaneClass;
  readonly nativeTopic: string;
  readonly channels = new Set<Channel>();

  constructor(kind: LaneClass, topic: string) {
    this.kind = kind;
    this.nativeTopic = kind.prefix + topic;
  }
}
