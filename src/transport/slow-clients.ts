/**
 * Finds clients that read too slowly, and does with them what their socket's policy says.
 *
 *   behind    more than `maxBackpressureBytes` wait, and after `slowClientMs` not less than before;
 *             or so much at once that no reader is given the time
 *   skipped   the engine, whose own limit lies far above ours, has skipped frames
 *   full      what it refused, and we keep in its place, has grown beyond our limit
 *
 * A burst larger than the limit makes no client slow: what counts is looked at when the loop's
 * turn ends and the system has taken what it takes, and then the client is given its time.
 *
 * What builds up by publishing alone is found by looking at all connections, when more than the
 * limit was published since the last look. At a tick of the sweep those that were beyond the limit
 * are looked at again. All are looked at if what waited for one of them at the last look, and all that
 * was sent to anybody since, may together be more than the limit. So clients that read cost nothing.
 * The engine gives connections what was published as its turn ends; so a look may have come before
 * that, and what was published until then counts once more.
 *
 * Runs on: shard.
 * Owns: the policy `close` (the connection is cut; the client sees 1006, comes back and joins
 *       again) and `error` (the channels that are published to end with phx_error `client too
 *       slow`, at once; it reaches the client when that has taken what waits before it. Where
 *       nothing was skipped it has missed nothing until then. The connection stays). `full` cuts
 *       under both: there is nowhere left to keep what would tell the client.
 * Full: the engine calls `dropped` once for a whole batch, with its first message, and may not be
 *       called from there: it is noted, and taken for a loss on all topics of the connection.
 */

import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { SlowClientPolicy } from "../socket/definition.ts";
import { telemetry } from "../telemetry.ts";
import type { ServedSocket } from "../socket/served-socket.ts";

/** What is wrong with a connection, from the least to the worst. */
const CAUSES = ["behind", "skipped", "full"] as const;
export type SlowCause = (typeof CAUSES)[number];

/** What is looked at: a connection that knows what waits for its client. */
export interface SlowConnection {
  readonly id: number;
  readonly isOpen: boolean;
  readonly socket: ServedSocket | undefined;
  /** Bytes that wait for a client which does not take them. */
  readonly bufferedBytes: number;
  /** Runs `work` so that frames which it sends leave together. */
  cork(work: () => void): void;
  /** Ends it without a word. */
  cut(): void;
}

/** Beyond this, or a quarter of the limit, what may wait elsewhere does. */
const MOST_ROOM_BYTES = 65_536;
/** So many times the limit, and no reader is given time. */
const HARD_FACTOR = 8;
/** Time between two looks at all connections because of what was published. */
const LOOK_PAUSE_MS = 100;
/** Upper bound of what a frame has beside its data: a header, and what compression may add. */
const FRAME_EXTRA_BYTES = 32;
/** Most bytes of a UTF-16 unit. */
const UNIT_BYTES = 3;

interface Watched {
  bufferedBytes: number;
  sinceMs: number;
}

/** The slow clients of a transport of a shard. */
export class SlowClients<C extends SlowConnection> {
  readonly #connections: ReadonlySet<C>;
  readonly #maxBackpressureBytes: number;
  readonly #slowClientMs: number;
  readonly #counters: Counters;
  readonly #logger: Logger;
  /** Noted within this turn. */
  readonly #suspects = new Map<C, SlowCause>();
  /** Beyond the limit when they were looked at last. */
  readonly #watched = new Map<C, Watched>();
  readonly #endTurn = (): void => this.#lookAtSuspects();
  /** Published since the last look at all. */
  #publishedBytes = 0;
  /** Sent to single connections since then. */
  #sentBytes = 0;
  /** Published before that look, some of it perhaps in its own turn: then it was not seen. */
  #unseenBytes = 0;
  /** Most that has waited for one connection when it was looked at, then or later. */
  #mostBytes = 0;
  #lookedAtMs = 0;
  #isTurnScheduled = false;

  /**
   * @param connections - those that are open, now and later
   * @param options - how much may wait, and for how long
   */
  constructor(
    connections: ReadonlySet<C>,
    options: Pick<ResolvedOptions, "maxBackpressureBytes" | "slowClientMs">,
    counters: Counters,
    logger: Logger,
  ) {
    this.#connections = connections;
    this.#maxBackpressureBytes = options.maxBackpressureBytes;
    this.#slowClientMs = options.slowClientMs;
    this.#counters = counters;
    this.#logger = logger;
  }

  /** Notes a connection, from anywhere; it is looked at when the turn ends. */
  note(connection: C, cause: SlowCause): void {
    const known = this.#suspects.get(connection) ?? "behind";
    const isWorse = CAUSES.indexOf(cause) > CAUSES.indexOf(known);
    this.#suspects.set(connection, isWorse ? cause : known);
    this.#scheduleTurn();
  }

  /** Notes that bytes were published to connections that are not known here. */
  published(bytes: number): void {
    this.#publishedBytes += bytes + FRAME_EXTRA_BYTES;
    if (this.#publishedBytes > this.#maxBackpressureBytes) this.#scheduleTurn();
  }

  /** Notes that a frame of this length (text in UTF-16 units) was sent to one connection. */
  sent(length: number): void {
    this.#sentBytes += length * UNIT_BYTES + FRAME_EXTRA_BYTES;
  }

  /**
   * Looks at all connections if one of them may be slow, and else at none. To be called by
   * setImmediate: a turn of the engine has ended since the last look then.
   */
  lookWhereDue(nowMs = performance.now()): void {
    const publishedBytes = this.#unseenBytes + this.#publishedBytes;
    const mayWaitBytes = this.#mostBytes + publishedBytes + this.#sentBytes;
    if (mayWaitBytes > this.#maxBackpressureBytes) this.lookAtAll(nowMs);
    else for (const connection of this.#watched.keys()) this.#look(connection, nowMs);
  }

  /** Looks at all connections. */
  lookAtAll(nowMs = performance.now()): void {
    this.#unseenBytes = this.#publishedBytes;
    this.#publishedBytes = 0;
    this.#sentBytes = 0;
    this.#mostBytes = 0;
    this.#lookedAtMs = nowMs;
    for (const connection of this.#connections) this.#look(connection, nowMs);
  }

  /** Cuts the connection of a client that is slow, whatever its socket's policy, and reports it. */
  cut(connection: C, cause: SlowCause, bufferedBytes: number): void {
    const channels = connection.socket?.allChannels().length ?? 0;
    this.#counters.add(COUNTER.slowCut, 1);
    this.#report(connection, { bufferedBytes, cause, policy: "close", channels });
    connection.cut();
  }

  /** Forgets a connection that is gone. */
  forget(connection: C): void {
    this.#suspects.delete(connection);
    this.#watched.delete(connection);
  }

  #scheduleTurn(): void {
    if (this.#isTurnScheduled) return;
    this.#isTurnScheduled = true;
    setImmediate(this.#endTurn);
  }

  #lookAtSuspects(): void {
    this.#isTurnScheduled = false;
    const nowMs = performance.now();
    const suspects = [...this.#suspects];
    this.#suspects.clear();
    for (const [connection, cause] of suspects) {
      if (cause === "behind") this.#look(connection, nowMs);
      else if (connection.isOpen) this.#judge(connection, cause);
    }
    const isDue = nowMs - this.#lookedAtMs >= LOOK_PAUSE_MS;
    if (isDue && this.#publishedBytes > this.#maxBackpressureBytes) this.lookAtAll(nowMs);
  }

  #look(connection: C, nowMs: number): void {
    const maxBytes = this.#maxBackpressureBytes;
    const { bufferedBytes } = connection;
    if (bufferedBytes > this.#mostBytes) this.#mostBytes = bufferedBytes;
    if (bufferedBytes <= maxBytes) {
      if (this.#watched.size > 0) this.#watched.delete(connection);
      return;
    }
    const watched = this.#watched.get(connection);
    if (bufferedBytes > maxBytes * HARD_FACTOR) this.#judge(connection, "behind");
    else if (!watched) this.#watched.set(connection, { bufferedBytes, sinceMs: nowMs });
    else if (nowMs - watched.sinceMs < this.#slowClientMs) return;
    else if (bufferedBytes >= watched.bufferedBytes) this.#judge(connection, "behind");
    else Object.assign(watched, { bufferedBytes, sinceMs: nowMs });
  }

  #judge(connection: C, cause: SlowCause): void {
    const { socket, bufferedBytes } = connection;
    this.#watched.delete(connection);
    if (!socket) return;
    const policy = cause === "full" ? "close" : socket.slowClients;
    if (policy === "close") {
      this.cut(connection, cause, bufferedBytes);
      return;
    }
    let channels = 0;
    connection.cork(() => {
      channels = socket.tooSlow();
    });
    if (channels === 0) return;
    this.#counters.add(COUNTER.slowEnded, channels);
    this.#report(connection, { bufferedBytes, cause, policy, channels });
  }

  #report(connection: C, found: Finding): void {
    const fields = { connection: connection.id, ...found };
    this.#logger.log("slowClient", fields);
    if (telemetry.slow_client.hasSubscribers) telemetry.slow_client.publish(fields);
  }
}

interface Finding {
  readonly bufferedBytes: number;
  readonly cause: SlowCause;
  readonly policy: SlowClientPolicy;
  readonly channels: number;
}

/** Returns how much may wait for a client that still has room (bytes). */
export function roomWithin(maxBackpressureBytes: number): number {
  return Math.min(maxBackpressureBytes / 4, MOST_ROOM_BYTES);
}
