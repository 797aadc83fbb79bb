/**
 * The phase of the event loop in which connections of the engine may be closed outside its callbacks: that of
 * timers.
 *
 *   poll (the engine's callbacks) -> the engine frees closed sockets -> immediates -> libuv frees handles -> timers
 *    ^                                                                                                        |
 *    +--------------------------------------------------------------------------------------------------------+
 *
 * The engine frees a socket once it has closed it and libuv has not yet freed its handle. If a connection is closed in
 * the phase of immediates, libuv comes first, and then the engine loses the socket: about 280 bytes for each
 * connection (`us_poll_free` of uSockets with libuv). Continuations of promises may run in any phase.
 *
 * Runs on: main, shard.
 */

/**
 * Does work that closes a connection, or sends the last answer on it, within about a millisecond. The connection may
 * be closed before by its client, which the work must check.
 */
export function inClosePhase(work: () => void): void {
  setTimeout(work, 0);
}

/** Resolves when all work that was given before has been done. */
export async function closePhaseDone(): Promise<void> {
  return new Promise(inClosePhase);
}
