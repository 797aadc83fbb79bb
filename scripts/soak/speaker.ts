/**
 * A speaker: counts aloud on one topic, and begins again under a new name when its connection ends,
 * by its own doing or by another's.
 *
 * Runs on: the soak's process.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../suites/client.ts";
import type { Stage } from "./stage.ts";
import type { Speech } from "./ledger.ts";

const MIN_LIFE_MS = 5_000;
const MAX_LIFE_MS = 60_000;
/** Numbers that wait for their acknowledgement at most. */
const MAX_WAITING = 50;

/** How a speaker speaks. */
export interface SpeakerStyle {
  readonly topic: string;
  readonly everyMs: number;
  readonly fillerBytes: number;
  /** How long after its end all must have arrived. */
  readonly settleMs: number;
}

/** Speaks until the run is over. */
export async function speak(stage: Stage, style: SpeakerStyle): Promise<void> {
  const random = stage.random();
  const settling: Promise<void>[] = [];
  while (!stage.isOver) {
    const client = await stage.connect();
    if (client === undefined) break;
    const { status } = await client.join(style.topic);
    if (status === "ok") {
      const lifeMs = random.between(MIN_LIFE_MS, MAX_LIFE_MS);
      const speech = await speakOnce(stage, client, style, lifeMs);
      settling.push(settle(stage, speech, style.settleMs));
    }
    if (random.chance(0.5)) client.close();
    else client.cut(random.chance(0.5));
  }
  await Promise.all(settling);
}

async function settle(stage: Stage, speech: Speech, settleMs: number): Promise<void> {
  await sleep(settleMs);
  stage.ledger.settle(speech, stage.minute);
}

async function speakOnce(
  stage: Stage,
  client: Client,
  { topic, everyMs, fillerBytes }: SpeakerStyle,
  lifeMs: number,
): Promise<Speech> {
  const { ledger } = stage;
  const speech = ledger.begin(topic, stage.name("speaker"), stage.now);
  const filler = "x".repeat(fillerBytes);
  const until = stage.now + lifeMs;
  let [waiting, isHeard] = [0, true];
  for (let n = 1; isHeard && !stage.isOver && client.isOpen && stage.now < until; n++) {
    const sentAt = stage.now;
    waiting += 1;
    void client.call(topic, "say", { from: speech.name, n, filler }).then(({ status }) => {
      waiting -= 1;
      if (status === "ok") ledger.ack(speech, n, sentAt);
      // The channel has ended: what follows reaches nobody.
      else isHeard = false;
      return undefined;
    });
    do await sleep(everyMs);
    while (waiting > MAX_WAITING && client.isOpen);
  }
  return speech;
}
