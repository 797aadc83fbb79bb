/**
 * Finds clients that read too slowly, and applies the policy of their socket.
 *
 *   behind    more than `maxBackpressureBytes` are unsent, and no fewer `slowClientMs` later; or
 *             more than eight times that, at once
 *   skipped   the engine skipped frames, at its own limit, which is far above ours
 *   full      frames that the engine refused, and that we keep, exceed our limit
 *
 * A burst larger than the limit does not make a client slow. Its connection is checked at the end
 * of the turn, when the system has accepted as many bytes as fit into its buffers. The client then
 * has time to read.
 *
 * Backlogs that build up by publishing alone are found by checking all connections, whenever more
 * than the limit was published since the last check. Each tick of the sweep checks the connections
 * that were over the limit. It checks all connections if the largest backlog at the last check,
 * plus everything sent since, may exceed the limit. So clients that read cost nothing. The engine
 * hands published frames to connections at the end of its turn, possibly after the check; so bytes
 * published before a check are counted again in the next check.
 *
 * Policies:
 *
 *   close   The connection is cut. The client sees 1006, reconnects and joins again.
 *   error   Channels whose broadcasts the engine publishes end at once with phx_error `client too
 *           slow`. The client reads it after all that is unsent, and has missed nothing before it
 *           unless the engine skipped frames. The connection stays open.
 *
 * `full` cuts the connection under either policy: no room is left for a phx_error.
 *
 * Runs on: shard.
 * Full: the engine calls `dropped` once for a batch, with its first message, and must not be called
 *       from there. So the connection is only noted, and is taken to have lost frames on all topics.
 */

import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { SlowClientPolicy } from "../socket/definition.ts";
import { telemetry } from "../telemetry.ts";
import type { ServedSocket } from "../socket/served-socket.ts";

/** Causes of a client being slow, in order of severity. */
const CAUSES = ["behind", "skipped", "full"] as const;
export type SlowCause = (typeof CAUSES)[number];

/** A connection that knows its number of unsent bytes. */
export interface SlowConnection {
  readonly id: number;
  readonly isOpen: boolean;
  readonly socket: ServedSocket | undefined;
  /** Bytes that could not be sent yet. */
  readonly bufferedBytes: number;
  /** All bytes that are held for the client, except those that wait for user code. */
  readonly heldBytes: number;
  /** Runs `work`, and sends the frames that it produced together. */
  cork(work: () => void): void;
  /** Ends the connection without a close frame. */
  cut(): void;
}

/**
 * A connection has room if its unsent bytes are below this, or below a quarter of the limit,
 * whichever is less.
 */
const MAX_ROOM_BYTES = 65_536;
/** A client that is over this many times the limit is slow at once. */
const HARD_FACTOR = 8;
/** Minimum time between checks of all connections that are triggered by publishing. */
const CHECK_PAUSE_MS = 100;
/** Upper bound of a frame's overhead: its header, and the bytes that compression may add. */
const FRAME_EXTRA_BYTES = 32;
/** Maximum number of UTF-8 bytes per UTF-16 unit. */
const UNIT_BYTES = 3;

interface Watched {
  bufferedBytes: number;
  sinceMs: number;
}

/** The slow clients of one transport. */
export class SlowClients<C extends SlowConnection> {
  readonly #connections: ReadonlySet<C>;
  readonly #maxBackpressureBytes: number;
  readonly #slowClientMs: number;
  readonly #counters: Counters;
  readonly #logger: Logger;
  /** Connections noted in this turn. */
  readonly #suspects = new Map<C, SlowCause>();
  /** Connections that were over the limit at their last check. */
  readonly #watched = new Map<C, Watched>();
  readonly #endTurn = (): void => this.#checkSuspects();
  /** Bytes published since the last check of all connections. */
  #publishedBytes = 0;
  /** Bytes sent to single connections so far, and when all connections were last checked. */
  #sentBytes = 0;
  #checkedSentBytes = 0;
  /**
   * Bytes published before that check, which did not see the bytes published within its own turn.
   */
  #unseenBytes = 0;
  /** The largest backlog found by that check, or by a later check of a single connection. */
  #largestBytes = 0;
  #checkedAtMs = 0;
  #isTurnScheduled = false;

  /**
   * @param connections - the live set of open connections
   * @param options - the limits for the amount of unsent data and its duration
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

  /** Notes a connection to be checked at the end of the turn. May be called from anywhere. */
  note(connection: C, cause: SlowCause): void {
    this.#suspects.set(connection, this.#worstCause(connection, cause));
    this.#scheduleTurn();
  }

  /** Counts a published frame; it is not known which connections receive it. */
  published(bytes: number): void {
    this.#publishedBytes += bytes + FRAME_EXTRA_BYTES;
    if (this.#publishedBytes > this.#maxBackpressureBytes) this.#scheduleTurn();
  }

  /** Upper bound of all bytes sent to single connections so far. It only increases. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Counts a frame sent to one connection; the length of text is in UTF-16 units. */
  sent(length: number): void {
    this.#sentBytes += length * UNIT_BYTES + FRAME_EXTRA_BYTES;
  }

  /**
   * Checks all connections if one of them may be slow, and otherwise only those over the limit. Must
   * be called by setImmediate, so that a turn of the engine has ended since the last check.
   */
  checkIfDue(nowMs = performance.now()): void {
    const publishedBytes = this.#unseenBytes + this.#publishedBytes;
    const sentBytes = this.#sentBytes - this.#checkedSentBytes;
    const maxUnsentBytes = this.#largestBytes + publishedBytes + sentBytes;
    if (maxUnsentBytes > this.#maxBackpressureBytes) this.checkAll(nowMs);
    else for (const connection of this.#watched.keys()) this.#check(connection, nowMs);
  }

  /** Checks a connection at once, instead of at the end of the turn, for more than eight times the limit. */
  checkHopeless(connection: C): void {
    if (!connection.isOpen) return;
    if (connection.bufferedBytes > this.#maxBackpressureBytes * HARD_FACTOR) {
      this.#judge(connection, "behind");
    }
  }

  /** Checks all connections. */
  checkAll(nowMs = performance.now()): void {
    this.#unseenBytes = this.#publishedBytes;
    this.#publishedBytes = 0;
    this.#checkedSentBytes = this.#sentBytes;
    this.#largestBytes = 0;
    this.#checkedAtMs = nowMs;
    for (const connection of this.#connections) this.#check(connection, nowMs);
  }

  /** Cuts the connection of a slow client, whatever its socket's policy, and reports it. */
  cut(connection: C, cause: SlowCause, bufferedBytes: number): void {
    const channels = connection.socket?.allChannels().length ?? 0;
    this.#counters.add(COUNTER.slowCut, 1);
    this.#report(connection, { bufferedBytes, cause, policy: "close", channels });
    connection.cut();
  }

  /** Forgets a connection that has ended. */
  forget(connection: C): void {
    this.#suspects.delete(connection);
    this.#watched.delete(connection);
  }

  #scheduleTurn(): void {
    if (this.#isTurnScheduled) return;
    this.#isTurnScheduled = true;
    setImmediate(this.#endTurn);
  }

  #checkSuspects(): void {
    this.#isTurnScheduled = false;
    const nowMs = performance.now();
    const suspects = [...this.#suspects];
    this.#suspects.clear();
    for (const [connection, cause] of suspects) {
      if (cause === "behind") this.#check(connection, nowMs);
      else if (connection.isOpen) this.#judge(connection, cause);
    }
    const isDue = nowMs - this.#checkedAtMs >= CHECK_PAUSE_MS;
    if (isDue && this.#publishedBytes > this.#maxBackpressureBytes) this.checkAll(nowMs);
  }

  #check(connection: C, nowMs: number): void {
    const maxBytes = this.#maxBackpressureBytes;
    const { bufferedBytes } = connection;
    if (bufferedBytes > this.#largestBytes) this.#largestBytes = bufferedBytes;
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

  /** Returns a cause, or the one noted in this turn if that is worse. */
  #worstCause(connection: C, cause: SlowCause): SlowCause {
    const noted = this.#suspects.get(connection) ?? "behind";
    return CAUSES.indexOf(cause) > CAUSES.indexOf(noted) ? cause : noted;
  }

  #judge(connection: C, found: SlowCause): void {
    const { socket, bufferedBytes } = connection;
    // Another check may come before the one at the end of the turn, and find it behind.
    const cause = this.#worstCause(connection, found);
    this.#suspects.delete(connection);
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

/** Returns the maximum number of unsent bytes for a client that still has room. */
export function roomWithin(maxBackpressureBytes: number): number {
  return Math.min(maxBackpressureBytes / 4, MAX_ROOM_BYTES);
}
