/**
 * A listener over WebSocket: stays joined to some topics, and joins again when it is told that it
 * missed something.
 *
 * Runs on: the soak's process.
 */

import type { Client } from "../suites/client.ts";
import { Hearings } from "./hearings.ts";
import type { Stage } from "./stage.ts";

const REJOIN_MS = 100;
const WAKE_MS = 1_000;

/** How a listener behaves. */
export interface ListenerStyle {
  readonly topics: readonly string[];
  /** It stops reading for up to this long, now and then; 0 for never. */
  readonly pauseMs: number;
}

/** Listens until the run is over. */
export async function listen(stage: Stage, { topics, pauseMs }: ListenerStyle): Promise<void> {
  const random = stage.random();
  const name = stage.name("listener");
  while (!stage.isOver) {
    let client: Client | undefined = undefined;
    const rejoin = (topic: string): void => void join(stage, client, hearings, topic);
    const hearings: Hearings = new Hearings(stage, name, rejoin, pauseMs > 0);
    client = await stage.connect({ onMessage: (message) => hearings.onMessage(message) });
    if (client === undefined) return;
    const connected = client;
    void connected.closed.then(() => hearings.endAll(!stage.isOver));
    for (const topic of topics) void join(stage, connected, hearings, topic);
    while (!stage.isOver && connected.isOpen) {
      if (pauseMs > 0 && random.chance(0.1)) {
        stage.tally.slowReaders += 1;
        connected.pause();
        await stage.rest(random.below(pauseMs));
        connected.resume();
      }
      await Promise.race([connected.closed, stage.rest(WAKE_MS)]);
    }
    if (stage.isOver) stage.leavesLater(connected);
  }
}

/** Joins a topic, until it works or the connection has ended. */
async function join(
  stage: Stage,
  client: Client | undefined,
  hearings: Hearings,
  topic: string,
): Promise<void> {
  while (!stage.isOver && client?.isOpen === true) {
    const { status } = await client.join(topic, {}, (answer) => {
      if (answer.status === "ok") hearings.begin(topic);
    });
    if (status === "ok") return;
    await stage.rest(REJOIN_MS);
  }
}
