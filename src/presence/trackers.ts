/**
 * All presences of a shard, with a tracker for each presence of its endpoint.
 *
 * Runs on: shard.
 */

import { reportOf, type ErrorReport } from "../error-report.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { settingsOf, type PresenceContext, type Presences } from "./definition.ts";
import { isPresence, type AnyPresence, type DefinedPresence } from "./presence.ts";
import type { OwnerState, PresencePubSub } from "./shard-presence.ts";
import { Tracker } from "./tracker.ts";

/** The presences of an endpoint, and the parts of the shard that they use. */
export interface TrackersOptions {
  readonly presences: readonly AnyPresence[];
  readonly options: ResolvedOptions;
  readonly context: PresenceContext;
  readonly pubsub: PresencePubSub;
  readonly ownerState: (owner: object) => OwnerState;
  /** Returns all owners of the same client, or undefined if an owner belongs to none. */
  readonly ownersOfClient: (owner: object) => readonly object[] | undefined;
}

/** Result of listing presences for another thread. */
export type PresenceAnswer =
  /** The result as JSON, which can be sent to other threads whatever `fetch` has added. */
  | { readonly presences: string }
  | { readonly failed: ErrorReport }
  /** The endpoint has no presence with the requested name; these are the names that exist. */
  | { readonly names: readonly string[] };

/** The trackers of one shard. */
export class Trackers {
  readonly #context: PresenceContext;
  readonly #trackers: readonly (readonly [DefinedPresence, Tracker])[];

  /** @throws SIM_ERR_OPTION_INVALID if options of a presence contradict each other */
  constructor(given: TrackersOptions) {
    const { presences, options, context, pubsub, ownerState, ownersOfClient } = given;
    this.#context = context;
    this.#trackers = presences.filter(isPresence).map((presence) => {
      const { name, callbacks } = presence;
      const settings = settingsOf(name, callbacks, options);
      const shard = { context, pubsub, ownerState, ownersOfClient, now };
      const tracker = new Tracker({ name, callbacks, settings, ...shard });
      return [presence, tracker] as const;
    });
    for (const [presence, tracker] of this.#trackers) presence.attach(context, tracker);
  }

  /** Starts the replication of all presences. */
  start(): void {
    for (const [, tracker] of this.#trackers) tracker.start();
  }

  /** Sends the remaining changes of all presences. */
  stop(): void {
    for (const [, tracker] of this.#trackers) tracker.stop();
  }

  /** Ends all trackers and detaches them. */
  close(): void {
    for (const [presence, tracker] of this.#trackers) {
      tracker.close();
      presence.detach(this.#context);
    }
  }

  /** Continues after main has ended what a callback had called (`shard/forced-end`). */
  recover(): void {
    for (const [, tracker] of this.#trackers) tracker.recover();
  }

  /** Handles the end of a channel, which may have tracked presences. */
  ended(owner: object): void {
    for (const [, tracker] of this.#trackers) tracker.ended(owner);
  }

  /** Lists a topic of a presence, or one key of the topic, for another thread. */
  async answer(name: string, topic: string, key: string | undefined): Promise<PresenceAnswer> {
    const found = this.#trackers.find(([presence]) => presence.name === name);
    if (!found) return { names: this.#trackers.map(([presence]) => presence.name) };
    const [, tracker] = found;
    try {
      return { presences: JSON.stringify(await listed(tracker, topic, key)) };
    } catch (error) {
      return { failed: reportOf(error) };
    }
  }
}

function now(): number {
  return performance.now();
}

async function listed(
  tracker: Tracker,
  topic: string,
  key: string | undefined,
): Promise<Presences> {
  if (key === undefined) return tracker.list(topic);
  const entry = await tracker.getByKey(topic, key);
  return entry ? { [key]: entry } : {};
}
