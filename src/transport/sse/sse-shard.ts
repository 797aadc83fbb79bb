/**
 * What all mounts with server-sent events share on a shard: its sessions, its streams, and the timer that checks them.
 *
 * Runs on: shard; one instance.
 */

import type { TransportHost } from "../custom/definition.ts";
import type { SseOptions } from "./sse-options.ts";
import { SseSessions } from "./sse-sessions.ts";
import { SseStreams } from "./sse-stream.ts";

/** Number of checks of sessions and streams within the shortest of their times. */
const CHECKS_PER_TIME = 4;

/** The sessions and streams of a shard. */
export class SseShard {
  readonly host: TransportHost;
  readonly sessions = new SseSessions();
  readonly streams = new SseStreams();
  readonly #timer: NodeJS.Timeout;
  isStopping = false;

  constructor(host: TransportHost, options: readonly SseOptions[]) {
    this.host = host;
    const timesMs = options.flatMap(({ resumeMs, heartbeatMs }) => [resumeMs, heartbeatMs]);
    const everyMs = Math.max(1, Math.min(...timesMs) / CHECKS_PER_TIME);
    this.#timer = setInterval(() => this.#check(performance.now()), everyMs);
    this.#timer.unref();
  }

  /** Ends the streams of sessions on other shards, so that their clients reconnect elsewhere. The shard ends its own. */
  stop(): void {
    this.isStopping = true;
    this.streams.endRelayed();
  }

  #check(nowMs: number): void {
    this.sessions.check(nowMs);
    this.streams.beat(nowMs);
    this.host.measure("sessions", this.sessions.size);
    this.host.measure("streams", this.streams.size);
    this.host.measure("heldBytes", this.sessions.heldBytes);
    if (this.isStopping && this.sessions.size === 0) clearInterval(this.#timer);
  }
}
