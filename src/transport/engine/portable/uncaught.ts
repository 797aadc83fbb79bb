/**
 * What an app's callbacks throw. It is uncaught, but must not end what Node.js and `ws` do around the callback: then its
 * connection would neither be read nor closed.
 *
 * Runs on: main, shard.
 */

/** Throws an error as soon as the stack is empty. */
export function throwUncaught(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
