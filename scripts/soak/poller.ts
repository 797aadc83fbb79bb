/**
 * A listener over long-poll: polls without a pause, and begins a new session when its session ends.
 *
 * Runs on: the soak's process.
 */

import { ask } from "../../test/support/longpoll-client.ts";
import { within } from "../../test/support/deadline.ts";
import type { Received } from "../suites/client.ts";
import { Hearings } from "./hearings.ts";
import type { Stage } from "./stage.ts";

const RETRY_MS = 200;
/** Longer than the window of the server. */
const POLL_DEADLINE_MS = 30_000;
const MOUNT = "/socket/longpoll?vsn=2.0.0";
/** Status in the body of a poll. */
const STATUS = { messages: 200, none: 204, gone: 410 };

/** Polls until the run is over. */
export async function poll(stage: Stage, topics: readonly string[]): Promise<void> {
  const name = stage.name("poller");
  while (!stage.isOver) {
    const opened = await answerOf(stage, "GET", MOUNT);
    if (opened?.token === undefined) {
      await stage.rest(RETRY_MS);
      continue;
    }
    stage.tally.sessions += 1;
    await pollSession(stage, name, `${MOUNT}&token=${opened.token}`, topics);
  }
}

async function pollSession(
  stage: Stage,
  name: string,
  path: string,
  topics: readonly string[],
): Promise<void> {
  let isTold = false;
  const hearings = new Hearings(stage, name, () => (isTold = true));
  for (const [at, topic] of topics.entries()) {
    const joinRef = String(at);
    const frame = JSON.stringify([joinRef, joinRef, topic, "phx_join", {}]);
    const posted = await answerOf(stage, "POST", path, frame);
    if (posted?.status !== STATUS.messages) return;
  }
  while (!isTold && !stage.hasEnded) {
    stage.tally.polls += 1;
    const answer = await answerOf(stage, "GET", path);
    // A request that failed may be repeated: the session keeps its messages.
    if (answer === undefined || answer.http === 503) {
      await stage.rest(RETRY_MS);
      continue;
    }
    if (answer.status !== STATUS.messages && answer.status !== STATUS.none) break;
    for (const message of answer.messages) take(hearings, message);
  }
  hearings.endAll(!stage.hasEnded);
}

function take(hearings: Hearings, message: unknown): void {
  const [, ref, topic, event, payload] = message as [0, string | null, string, string, unknown];
  const received: Received = { ref, topic, event, payload };
  if (event !== "phx_reply") hearings.onMessage(received);
  else if ((payload as { readonly status: string }).status === "ok") hearings.begin(topic);
}

async function answerOf(
  stage: Stage,
  method: string,
  path: string,
  body = "",
): ReturnType<typeof answerOrNone> {
  return answerOrNone(stage.port, method, path, body);
}

async function answerOrNone(
  port: number,
  method: string,
  path: string,
  body: string,
): Promise<Awaited<ReturnType<typeof ask>["answer"]> | undefined> {
  const asked = ask(port, method, path, body, { connection: "close" });
  try {
    return await within(asked.answer, "an answer", POLL_DEADLINE_MS);
  } catch {
    asked.abort();
    return undefined;
  }
}
