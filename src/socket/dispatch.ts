/**
 * Chooses a socket's action for a message, by the dispatch table of Phoenix's transport.
 *
 *   topic and event        no channel      joining   joined
 *   phoenix heartbeat      heartbeat 1     the same, whatever is joined
 *   phx_join               join 2-4        wait      rejoin 5
 *   phx_leave              leaveNone 10    wait      leave 6, or stale 7
 *   any other event        unmatched 11    wait      deliver 8, or stale 9
 *
 * Tests name rows by these numbers. A message is stale if its join_ref is that of an
 * earlier join of the topic. A message without a join_ref is for the current channel.
 *
 * Runs on: shard. Pure.
 */

import { STATE } from "../channel/channel-state.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import { isSameRef, type Message } from "../protocol/message.ts";
import { EVENT, PHOENIX_TOPIC } from "../protocol/reserved.ts";

/** An action of the table. Actions are small integers, because one is chosen for each message. */
export const ACTION = {
  heartbeat: 0,
  join: 1,
  rejoin: 2,
  leave: 3,
  leaveNone: 4,
  deliver: 5,
  unmatched: 6,
  wait: 7,
  stale: 8,
} as const;
export type Action = (typeof ACTION)[keyof typeof ACTION];

/** Reports whether a message is a heartbeat, which concerns no channel. */
export function isHeartbeat({ topic, event }: Message): boolean {
  return topic === PHOENIX_TOPIC && event === EVENT.heartbeat;
}

/**
 * Returns a socket's action for a message.
 *
 * @param channel - the channel that has joined the message's topic, if any
 */
export function actionOf(message: Message, channel: RoutedChannel | undefined): Action {
  if (isHeartbeat(message)) return ACTION.heartbeat;
  const { event, joinRef } = message;
  if (channel === undefined) {
    if (event === EVENT.join) return ACTION.join;
    return event === EVENT.leave ? ACTION.leaveNone : ACTION.unmatched;
  }
  if (channel.state === STATE.joining) return ACTION.wait;
  if (event === EVENT.join) return ACTION.rejoin;
  if (joinRef !== null && !isSameRef(joinRef, channel.sentJoinRef)) return ACTION.stale;
  return event === EVENT.leave ? ACTION.leave : ACTION.deliver;
}
