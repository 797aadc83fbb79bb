/**
 * The states of one channel, and all transitions between them.
 *
 *   joining --joined--> open --end--> ending --ended--> closed
 *      |                  |                               ^ ^
 *      |                  +-----------kill----------------+ |
 *      +--refused, kill-------------------------------------+
 *
 *   joining  `join` runs; nothing may be pushed yet
 *   open     messages are handled, one at a time
 *   ending   `terminate` runs; it may still push
 *   closed   nothing more is sent to the client
 *
 * Runs on: the shard that owns the connection.
 */

import { makeError } from "../errors.ts";

/** State of a channel. States are small integers because they are compared for each message. */
export const STATE = { joining: 0, open: 1, ending: 2, closed: 3 } as const;
export type ChannelState = (typeof STATE)[keyof typeof STATE];

/** A transition of a channel. */
export type ChannelStep = "joined" | "refused" | "end" | "ended" | "kill";

const STEPS: Record<ChannelState, Partial<Record<ChannelStep, ChannelState>>> = {
  [STATE.joining]: { joined: STATE.open, refused: STATE.closed, kill: STATE.closed },
  [STATE.open]: { end: STATE.ending, kill: STATE.closed },
  [STATE.ending]: { ended: STATE.closed, kill: STATE.closed },
  [STATE.closed]: {},
};

/** A channel of either kind, ordinary or raw. */
interface Stateful {
  state: ChannelState;
}

/**
 * Moves a channel to the state that follows a step. @throws SIM_ERR_INTERNAL if the step is not
 * allowed
 */
export function takeStep(channel: Stateful, step: ChannelStep): void {
  const state = nextState(channel.state, step);
  if (state === undefined) {
    throw makeError("SIM_ERR_INTERNAL", `no such step, state=${channel.state} step=${step}`);
  }
  channel.state = state;
}

/** Returns the state that follows a step, or undefined if the step is not allowed. */
export function nextState(state: ChannelState, step: ChannelStep): ChannelState | undefined {
  return STEPS[state][step];
}

/** @throws SIM_ERR_NOT_JOINED if a channel's join has not been answered */
export function checkJoined({ state }: Stateful, name: string): void {
  if (state !== STATE.joining) return;
  const message = `${name} must be called after the join was answered; use joined, or send yourself a message`;
  throw makeError("SIM_ERR_NOT_JOINED", message);
}
