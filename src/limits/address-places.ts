/**
 * The places that a client address has for connections, on the whole node (`maxConnectionsPerAddress`).
 *
 *   handshake --tryTake--> place --hold--> connection --leave--> free
 *                            |
 *                            +--release: refused, or the client went away--> free
 *
 * Runs on: shard; one for each, if there is such a limit.
 * Full: `tryTake` returns undefined. Shards that take a place of one address at the same moment can both
 *       be refused its last one.
 */

import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import type { AddressCounts, AddressSlots } from "../memory/address-counts.ts";
import { addressKey } from "./address-key.ts";

/** A place that a handshake has taken. */
export type AddressPlace = AddressSlots;

/** The places of all addresses. */
export class AddressPlaces {
  readonly #counts: AddressCounts;
  readonly #limit: number;
  readonly #counters: Counters;
  /** Beside the connections, which have no field for it. */
  readonly #held = new Map<object, AddressPlace>();

  constructor(counts: AddressCounts, limit: number, counters: Counters) {
    this.#counts = counts;
    this.#limit = limit;
    this.#counters = counters;
  }

  /** Takes a place for a handshake. Returns undefined, and counts that, if the address has none left. */
  tryTake(peerAddress: string): AddressPlace | undefined {
    const place = this.#counts.slotsOf(addressKey(peerAddress));
    this.#counts.add(place, 1);
    if (this.#counts.total(place) <= this.#limit) return place;
    this.#counts.add(place, -1);
    this.#counters.add(COUNTER.addressesFull);
    return undefined;
  }

  /** Frees the place of a handshake that led to no connection. */
  release(place: AddressPlace): void {
    this.#counts.add(place, -1);
  }

  /** Passes a place on to the connection of its handshake. */
  hold(connection: object, place: AddressPlace): void {
    this.#held.set(connection, place);
  }

  /** Frees the place of a connection that has ended. */
  leave(connection: object): void {
    const place = this.#held.get(connection);
    if (place === undefined) return;
    this.#held.delete(connection);
    this.#counts.add(place, -1);
  }
}
