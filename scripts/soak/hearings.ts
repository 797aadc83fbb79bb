/**
 * The hearings of one client, whatever its transport: opens and closes them as the client is told.
 *
 * Runs on: the soak's process.
 */

import type { Received } from "../suites/client.ts";
import type { Stage } from "./stage.ts";
import type { Hearing } from "./ledger.ts";

/** The hearings of a client. */
export class Hearings {
  readonly #stage: Stage;
  readonly #name: string;
  readonly #byTopic = new Map<string, Hearing>();
  readonly #onTold: (topic: string) => void;
  readonly #mayLag: boolean;

  /**
   * @param onTold - called if the client was told that a channel has ended
   * @param mayLag - whether the client reads slowly
   */
  constructor(stage: Stage, name: string, onTold: (topic: string) => void, mayLag = false) {
    this.#mayLag = mayLag;
    this.#stage = stage;
    this.#name = name;
    this.#onTold = onTold;
  }

  /** The client has joined a topic. */
  begin(topic: string): void {
    this.#end(topic, false);
    const { ledger, now } = this.#stage;
    this.#byTopic.set(topic, ledger.open(this.#name, topic, now, this.#mayLag));
  }

  /** A message has arrived. */
  onMessage({ topic, event, payload }: Received): void {
    if (event === "said") {
      const { from, n } = payload as { readonly from: string; readonly n: number };
      const hearing = this.#byTopic.get(topic);
      if (hearing !== undefined) this.#stage.ledger.hear(hearing, from, n, this.#stage.minute);
    } else if (event === "phx_error" || event === "phx_close") {
      this.#end(topic, true);
      this.#onTold(topic);
    }
  }

  /** The connection has ended. */
  endAll(wasTold: boolean): void {
    for (const topic of this.#byTopic.keys()) this.#end(topic, wasTold);
  }

  #end(topic: string, wasTold: boolean): void {
    const hearing = this.#byTopic.get(topic);
    if (hearing === undefined) return;
    this.#stage.ledger.close(hearing, wasTold);
    this.#byTopic.delete(topic);
  }
}
