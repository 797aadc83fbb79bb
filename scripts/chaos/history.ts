/**
 * Faults of the thread that keeps histories.
 *
 * Runs on: the chaos suite's process.
 */

import { within } from "../../test/support/deadline.ts";
import { Client, type Answer } from "../suites/client.ts";
import { expect, type Fault } from "./fault.ts";

const END_KEEPER = new URL("./end-keeper.js", import.meta.url).href;
const TOPIC = "kept:1";
const ANSWER_MS = 15_000;
/** Ends of the keeper; after more within a minute, the server fails. */
const ENDS = 3;

interface Position {
  readonly epoch: string;
  readonly offset: string;
  readonly recovered: boolean;
}

function positionIn({ status, response }: Answer): Position {
  expect(status === "ok", `the join must be accepted, got ${status} ${JSON.stringify(response)}`);
  return (response as { readonly history: Position }).history;
}

/** Says something. @returns the offset under which it arrives */
async function say(client: Client): Promise<string | null> {
  const said = client.next(TOPIC, "said");
  client.push(TOPIC, "say", {});
  const { ref } = await within(said, "a message", ANSWER_MS);
  return ref;
}

/** All faults of histories. */
export const HISTORY_FAULTS: readonly Fault[] = [
  {
    name: "keeper-ends",
    expectation:
      "If the thread that keeps histories ends, it is replaced: its clients get phx_error, and are told that they miss something.",
    isQuick: true,
    async run(trial) {
      const served = await trial.start({ env: { NODE_OPTIONS: `--import ${END_KEEPER}` } });
      const canaries = await trial.canaries(served);
      const client = await Client.connect(served.port);
      let position = positionIn(await client.join(TOPIC, { history: null }));
      for (let ends = 1; ends <= ENDS; ends += 1) {
        const offset = (await say(client)) ?? "";
        expect(
          BigInt(offset) === BigInt(position.offset) + 1n,
          `a message after ${position.offset} must follow it, got ${offset}`,
        );
        const lost = client.next(TOPIC, "phx_error");
        served.child.kill("SIGUSR2");
        await within(lost, "phx_error", ANSWER_MS);
        await served.logged("keeperReplaced", ends);
        const { epoch } = position;
        position = positionIn(await client.join(TOPIC, { history: { epoch, offset } }));
        expect(
          position.epoch !== epoch && !position.recovered,
          `a new epoch must begin, and nothing be recovered, got ${JSON.stringify(position)}`,
        );
      }
      expect(served.log.count("keeperEnded") === ENDS, `${ENDS} ends must be logged`);
      client.cut(false);
      await trial.unharmed(canaries);
      await trial.stops(served);
    },
  },
];
