/**
 * The presences of a shard: a tracker for each that its endpoint names.
 *
 * Runs on: shard.
 */

import type { Logger } from "../log/logger.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { PresenceContext, Presences } from "../presence/definition.ts";
import { isPresence, type AnyPresence, type DefinedPresence } from "../presence/presence.ts";
import { settingsOf } from "../presence/settings.ts";
import { Tracker } from "../presence/tracker.ts";
import type { PresenceWire } from "../presence/wire.ts";
import { reportOf, type ErrorReport } from "../error-report.ts";

/** What the presences of a shard are made of. */
export interface ShardPresencesParts {
  readonly presences: readonly AnyPresence[];
  readonly options: ResolvedOptions;
  readonly context: PresenceContext;
  readonly wire: PresenceWire;
  readonly logger: Logger;
}

/** Who is there, for another thread. */
export type PresenceAnswer =
  /** As JSON: what clients would get is what can cross, whatever `fetch` added. */
  | { readonly presences: string }
  | { readonly failed: ErrorReport }
  /** The endpoint names no such presence. */
  | { readonly names: readonly string[] };

/** All presences of one shard. */
export class ShardPresences {
  readonly #context: PresenceContext;
  readonly #trackers: readonly (readonly [DefinedPresence, Tracker])[];

  /** @throws SIM_ERR_OPTION_INVALID where options of a presence do not fit each other */
  constructor({ presences, options, context, wire, logger }: ShardPresencesParts) {
    this.#context = context;
    this.#trackers = presences.filter(isPresence).map((presence) => {
      const { name, callbacks } = presence;
      const settings = settingsOf(name, callbacks, options);
      const tracker = new Tracker({ name, callbacks, settings, context, wire, logger, now });
      return [presence, tracker] as const;
    });
    for (const [presence, tracker] of this.#trackers) presence.attach(context, tracker);
  }

  /** Begins to speak with other shards. */
  start(): void {
    for (const [, tracker] of this.#trackers) tracker.start();
  }

  /** Says to others what is left to be said. */
  stop(): void {
    for (const [, tracker] of this.#trackers) tracker.stop();
  }

  /** Lets go of everything. */
  close(): void {
    for (const [presence, tracker] of this.#trackers) {
      tracker.close();
      presence.detach(this.#context);
    }
  }

  /** Somebody who may have tracked has ended. */
  ended(owner: object): void {
    for (const [, tracker] of this.#trackers) tracker.ended(owner);
  }

  /** A member of this node's exchange has ended. */
  retired(member: number): void {
    for (const [, tracker] of this.#trackers) tracker.retired(member);
  }

  /** Lists a topic of a presence, or one key of it, for another thread. */
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
