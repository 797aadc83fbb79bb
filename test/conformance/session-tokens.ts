/**
 * The tokens of long-poll sessions: a recorded request carries Phoenix's, ours has to carry ours.
 *
 * Runs on: the main thread of the tests. Pure.
 *
 * The first session that we were given stands for the first that the recorder was given, and so on.
 */
import type { Act, Arrival } from "./scenario.ts";

type Arrivals = ReadonlyMap<string, readonly Arrival[]>;

const TOKEN = /SFMyNTY\.[\w.-]+/g;

/** The tokens of one recording. */
export class SessionTokens {
  readonly #recorded: readonly string[];

  /** @param recorded - what came back when it was recorded */
  constructor(recorded: Arrivals) {
    this.#recorded = tokensOf(recorded);
  }

  /** Gives an act with our tokens in the place of the recorded ones. A token of no session stays. */
  withOurs(act: Act, arrived: Arrivals): Act {
    if (act.kind !== "http") return act;
    const ours = tokensOf(arrived);
    const target = act.target.replaceAll(
      TOKEN,
      (token) => ours[this.#recorded.indexOf(token)] ?? token,
    );
    return { ...act, target };
  }
}

function tokensOf(arrivals: Arrivals): string[] {
  const bodies = [...arrivals.values()].flat().map((each) => ("body" in each ? each.body : ""));
  return [...new Set(bodies.flatMap((body) => body.match(TOKEN) ?? []))];
}
