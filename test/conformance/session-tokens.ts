/**
 * Replaces the tokens of long-poll sessions in recorded requests with those of our server.
 *
 * Runs on: the main thread of the tests. Pure.
 *
 * Sessions are matched by order: our first session corresponds to the recorder's first, and so on.
 */
import type { Act, Arrival } from "./scenario.ts";

type Arrivals = ReadonlyMap<string, readonly Arrival[]>;

const TOKEN = /SFMyNTY\.[\w.-]+/g;

/** The tokens of one recording. */
export class SessionTokens {
  readonly #recorded: readonly string[];

  /** @param recorded - the recorded arrivals */
  constructor(recorded: Arrivals) {
    this.#recorded = tokensOf(recorded);
  }

  /** Returns an act with our tokens instead of the recorded ones. Tokens without a session are kept. */
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
