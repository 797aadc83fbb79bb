/**
 * Clients that come and go: they join, ask, leave and end, cleanly or not.
 *
 * Runs on: the soak's process.
 */

import { ask } from "../../test/support/longpoll-client.ts";
import type { Stage } from "./stage.ts";

const MAX_FILLER = 3_000;
const LOBBIES = 5;

/** One client after the other, until the run is over. */
export async function churn(stage: Stage): Promise<void> {
  const random = stage.random();
  while (!stage.isOver) {
    stage.tally.churned += 1;
    if (random.chance(0.1)) await abandonSession(stage);
    else await liveOnce(stage, random);
    await stage.rest(random.below(100));
  }
}

async function liveOnce(stage: Stage, random: ReturnType<Stage["random"]>): Promise<void> {
  const client = await stage.connect();
  if (client === undefined) return;
  const topics = [stage.topic(random), `lobby:${random.below(LOBBIES)}`, stage.name("room:own")];
  for (const topic of topics) void client.join(topic);
  const own = topics.at(-1) ?? "";
  const filler = "é".repeat(random.below(MAX_FILLER));
  for (let n = 1; n <= random.between(1, 5); n++) {
    const { status, response } = await client.call(own, "echo", { n, filler });
    const isRight = JSON.stringify(response) === JSON.stringify({ n, filler });
    if (status === "closed" || (status === "ok" && isRight)) continue;
    stage.wrong(`an echo was answered with ${status} ${JSON.stringify(response).slice(0, 200)}`);
  }
  if (random.chance(0.3)) client.push(own, "say", { from: "nobody", n: 0 });
  if (random.chance(0.5)) await client.call(topics[0] ?? "", "phx_leave");
  if (random.chance(0.5)) client.close();
  else client.cut(random.chance(0.5));
}

/** Opens a session, and never polls it. */
async function abandonSession(stage: Stage): Promise<void> {
  const path = "/socket/longpoll?vsn=2.0.0";
  const headers = { connection: "close" };
  const opened = await ask(stage.port, "GET", path, "", headers).answer.catch(() => undefined);
  if (opened?.token === undefined) return;
  stage.tally.sessions += 1;
  const join = JSON.stringify(["1", "1", "lobby:1", "phx_join", {}]);
  await ask(stage.port, "POST", `${path}&token=${opened.token}`, join, headers).answer.catch(
    () => undefined,
  );
}
