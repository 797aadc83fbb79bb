/**
 * One case of the suite before it has a transport.
 *
 * Runs on: the thread of a test. Types only.
 */

import type { Options } from "../../index.ts";
import type { TransportAbility } from "./definition.ts";
import type { World } from "./world.ts";

/** A case: what must be so, and how it is found out. */
export interface Plan {
  /** A sentence whose subject is the transport. */
  readonly name: string;
  /** What the transport or the client must be capable of; otherwise the case is left out. */
  readonly needs?: readonly TransportAbility[];
  /** Options of the server. */
  readonly options?: Options;
  readonly run: (world: World) => Promise<void>;
}
