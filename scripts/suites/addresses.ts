/**
 * Addresses of clients on the loopback, so that a suite is not one client to the limits per address.
 *
 * Runs on: any thread. Linux answers on all of 127.0.0.0/8; elsewhere 127.0.0.1 is used.
 */

const HOSTS = 250;

/** Returns an address for a client's number. The suites' canaries use 127.0.0.1 themselves. */
export function addressOf(number: number): string {
  if (process.platform !== "linux") return "127.0.0.1";
  const host = number % (HOSTS * HOSTS);
  return `127.1.${1 + Math.floor(host / HOSTS)}.${1 + (host % HOSTS)}`;
}
