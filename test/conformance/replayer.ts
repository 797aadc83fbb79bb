/**
 * Replays a recorded scenario against a running server and reports differences.
 *
 * Runs on: the main thread of the tests.
 *
 * Pace. The recorder waited between its acts; a replay waits for their results instead. Acts that the recorder
 * performed together (`BURST_GAP_MS`) are performed together, and those of one connection in one write. Before any
 * other act, everything that Phoenix had sent by then must have arrived. What follows depends on the recorded
 * pause:
 *
 *   a normal pause       Every open connection is fenced twice. The reply to the first heartbeat proves that
 *                        everything sent before it was handled; the reply to the second also covers work deferred
 *                        to another turn of the server's loop. This verifies "nothing comes back" without sleeping.
 *   a long silence       (`SILENCE_MS`) is part of the test, so the same time passes. A scenario with such a
 *                        silence, or on the mount with a short idle timeout, is never fenced, because heartbeats
 *                        keep a connection alive. A slow join is safe: its reply is awaited first.
 *
 * The same happens after the last act. If a frame could still arrive that no fence covers (a message deferred by a
 * handler, a record on its way to another shard), the replay then waits a bounded time for it.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Child } from "../support/child.ts";
import { Connection } from "./connection.ts";
import { describeDifference, firstDifference, linesOf } from "./compare.ts";
import type { Deviation, Exception } from "./exceptions.ts";
import { ServerProcess } from "./server-process.ts";
import { SessionTokens } from "./session-tokens.ts";
import { SERVER_CONN } from "./scenario.ts";
import type { Act, Arrival, Scenario, Step } from "./scenario.ts";

/** Actual or expected arrivals, by connection. */
type Arrivals = ReadonlyMap<string, readonly Arrival[]>;

const BURST_GAP_MS = 2;
const SILENCE_MS = 400;
const PATIENCE_MS = 2_000;
/** How long to wait for a record from another shard before concluding that there is none. */
const TRAVEL_MS = 50;
const SHORT_TIMEOUT_MOUNT = "/small/";
const FENCES = 2;

/** Events of the conformance app with a deferred effect, and the longest delay of each. */
const PUT_OFF_MS: Readonly<Record<string, number>> = {
  delayed: 50,
  async_reply: 50,
  double_async_reply: 40,
  slow: 200,
};

/** Matches acts that make the conformance app broadcast. */
const BROADCASTS = /shout|"intercepted"|"order"|room:push_on_join/;

/**
 * Replays a scenario against the server at a port.
 *
 * @param patienceMs - how much longer than with Phoenix an arrival may take
 * @param child - the server's process, if the scenario sends it signals; it is ended with the scenario
 * @returns the arrivals by connection
 */
export async function play(
  scenario: Scenario,
  port: number,
  patienceMs = PATIENCE_MS,
  child?: Child,
): Promise<Arrivals> {
  if (scenario.unplayable !== undefined) {
    throw new TypeError(
      `${scenario.name} has an event that cannot be replayed yet: ${scenario.unplayable}`,
    );
  }
  const replay = new Replay(scenario, port, patienceMs, child);
  try {
    return await replay.run();
  } finally {
    await replay.cut();
  }
}

/**
 * Compares the arrivals with the recording, taking the exceptions of this scenario into account.
 *
 * @returns a text for each connection that differs, and for each unnecessary exception
 */
export function judge(
  scenario: Scenario,
  arrived: Arrivals,
  exceptions: readonly Exception[],
): string[] {
  const mine = exceptions.filter(
    (entry) =>
      entry.transcript === scenario.transcript &&
      "scenario" in entry &&
      entry.scenario === scenario.name,
  );
  const deviations = mine.filter((entry) => entry.kind === "deviation");
  const differences = differencesUnder(scenario, arrived, deviations);

  if (mine.some((entry) => entry.kind === "unbuilt scenario")) {
    return differences.length > 0 ? [] : ["the scenario agrees: its exception is unused"];
  }
  const unused = deviations.filter((deviation) => {
    const others = deviations.filter((other) => other !== deviation);
    return differencesUnder(scenario, arrived, others).length <= differences.length;
  });
  return [...differences, ...unused.map(({ reason }) => `the exception is unused: ${reason}`)];
}

function differencesUnder(
  scenario: Scenario,
  arrived: Arrivals,
  deviations: readonly Deviation[],
): string[] {
  const recorded = recordedArrivals(scenario);
  const texts: string[] = [];
  for (const conn of new Set([...recorded.keys(), ...arrived.keys()])) {
    const mine = deviations.filter((deviation) => deviation.conn === conn);
    const expected = mine.reduce(deviate, linesOf(recorded.get(conn) ?? []));
    const actual = linesOf(arrived.get(conn) ?? []);
    const difference = firstDifference(conn, expected, actual);
    if (difference !== undefined) texts.push(describeDifference(difference, actual));
  }
  return texts;
}

/** Replaces the first occurrence of Phoenix's consecutive lines with ours. */
function deviate(lines: readonly string[], { phoenix, ours }: Deviation): string[] {
  const at = lines.findIndex((_line, start) =>
    phoenix.every((line, i) => lines[start + i] === line),
  );
  return at < 0
    ? [...lines]
    : [...lines.slice(0, at), ...ours, ...lines.slice(at + phoenix.length)];
}

function recordedArrivals({ steps }: Scenario): Arrivals {
  const byConn = new Map<string, Arrival[]>();
  for (const step of steps) {
    if (!("arrival" in step)) continue;
    const arrivals = byConn.get(step.conn) ?? [];
    byConn.set(step.conn, arrivals);
    arrivals.push(step.arrival);
  }
  return byConn;
}

/** Reports whether a scenario sends signals to the server, and so needs a server of its own. */
export function hasSignals({ steps }: Scenario): boolean {
  return steps.some((step) => "act" in step && step.act.kind === "signal");
}

/** Reports whether a scenario has a long silence, and so takes as long as with Phoenix. */
export function hasSilence({ steps }: Scenario): boolean {
  return steps.some((step, i) => step.at - (steps[i - 1]?.at ?? 0) >= SILENCE_MS);
}

/** Reports whether a scenario joins a topic, and so receives what others broadcast there. */
export function hasTopic(scenario: Scenario): boolean {
  return wordsOf(scenario).includes("phx_join");
}

/** A party of a scenario: a client's connection, or the server's process. */
interface Party {
  readonly arrivals: readonly Arrival[];
  /** Whether nothing more can arrive. */
  readonly isOver: boolean;
  readonly isFenced: boolean;
  perform(acts: readonly Act[]): void;
  raiseFence(number: number): void;
  cut(): Promise<void>;
}

/** A run of one scenario: its connections, and how many arrivals each must have by now. */
class Replay {
  readonly #scenario: Scenario;
  readonly #port: number;
  readonly #patienceMs: number;
  readonly #connections = new Map<string, Party>();
  readonly #due = new Map<string, number>();
  readonly #mayFence: boolean;
  readonly #tokens: SessionTokens;
  #fences = 0;
  #lastActAt = 0;
  #wake: () => void = () => undefined;

  constructor(scenario: Scenario, port: number, patienceMs: number, child: Child | undefined) {
    this.#scenario = scenario;
    this.#port = port;
    this.#patienceMs = patienceMs;
    this.#mayFence = !isTimed(scenario);
    this.#tokens = new SessionTokens(recordedArrivals(scenario));
    if (child) this.#connections.set(SERVER_CONN, new ServerProcess(child, () => this.#wake()));
  }

  async run(): Promise<Arrivals> {
    const { steps } = this.#scenario;
    let next = 0;
    while (next < steps.length) {
      const burst = burstFrom(steps, next);
      if (burst.length > 0) this.#perform(burst);
      next += burst.length;
      const settledAt = next;
      while (isArrival(steps[next])) {
        this.#expect(steps[next] as Step);
        next += 1;
      }
      const pauseMs = pauseBetween(steps, settledAt, next);
      if (!(await this.#arrived(pauseMs))) break;
      if (next >= steps.length) break;
      const answered = steps[next - 1];
      if (!isAnswer(answered)) await this.#pass(this.#lastActAt, pauseMs);
      // After a request, time counts from its answer, because the server did not have the request before.
      else await this.#pass(performance.now(), (steps[next]?.at ?? 0) - answered.at);
    }
    await this.#settle();
    return this.#arrivals();
  }

  async cut(): Promise<void> {
    await Promise.all([...this.#connections.values()].map((connection) => connection.cut()));
  }

  #perform(burst: readonly { conn: string; act: Act }[]): void {
    this.#lastActAt = performance.now();
    for (const conn of new Set(burst.map((step) => step.conn))) {
      const mine = burst.filter((step) => step.conn === conn);
      const acts = mine.map(({ act }) => this.#tokens.withOurs(act, this.#arrivals()));
      this.#connection(conn).perform(acts);
    }
  }

  #arrivals(): Arrivals {
    return new Map([...this.#connections].map(([conn, { arrivals }]) => [conn, [...arrivals]]));
  }

  #connection(conn: string): Party {
    const known = this.#connections.get(conn);
    if (known !== undefined) return known;
    const made = new Connection(this.#port, () => this.#wake());
    this.#connections.set(conn, made);
    return made;
  }

  #expect(step: Step): void {
    this.#due.set(step.conn, (this.#due.get(step.conn) ?? 0) + 1);
  }

  /** Waits for everything that is due. Returns false after a timeout, which makes the rest meaningless. */
  async #arrived(recordedMs: number): Promise<boolean> {
    const late = (): Party[] =>
      [...this.#due].flatMap(([conn, due]) => {
        const party = this.#connection(conn);
        return party.arrivals.length < due ? [party] : [];
      });
    const isSettled = (): boolean => late().every(({ isOver }) => isOver);
    await this.#until(isSettled, recordedMs + this.#patienceMs);
    return late().length === 0;
  }

  /** Passes a recorded pause: with fences if possible, or by waiting if the time itself is tested. */
  async #pass(fromMs: number, pauseMs: number): Promise<void> {
    if (pauseMs >= SILENCE_MS) await delay(fromMs + pauseMs - performance.now());
    else await this.#fence();
  }

  async #settle(): Promise<void> {
    await this.#fence();
    const quietMs = quietAfter(this.#scenario);
    if (quietMs === 0) return;
    await delay(quietMs);
    await this.#fence();
  }

  async #fence(): Promise<void> {
    if (!this.#mayFence) return;
    const connections = [...this.#connections.values()];
    for (let round = 0; round < FENCES; round += 1) {
      this.#fences += 1;
      for (const connection of connections) connection.raiseFence(this.#fences);
      const isDown = await this.#until(
        () => connections.every(({ isFenced }) => isFenced),
        this.#patienceMs,
      );
      if (!isDown)
        throw new Error(
          `no answer to a heartbeat within ${this.#patienceMs} ms in ${this.#scenario.name}`,
        );
    }
  }

  async #until(isTrue: () => boolean, withinMs: number): Promise<boolean> {
    if (isTrue()) return true;
    return new Promise((resolve) => {
      const finish = (outcome: boolean): void => {
        clearTimeout(timer);
        this.#wake = () => undefined;
        resolve(outcome);
      };
      const timer = setTimeout(() => finish(false), withinMs);
      this.#wake = () => {
        if (isTrue()) finish(true);
      };
    });
  }
}

function isAnswer(step: Step | undefined): step is Step {
  return step !== undefined && "arrival" in step && step.arrival.kind === "http";
}

function isArrival(step: Step | undefined): boolean {
  return step !== undefined && "arrival" in step;
}

/** Returns the acts from a position on that the recorder performed together. */
function burstFrom(steps: readonly Step[], from: number): { conn: string; act: Act }[] {
  const burst: { conn: string; act: Act }[] = [];
  let before = steps[from]?.at ?? 0;
  for (const step of steps.slice(from)) {
    if (!("act" in step) || step.at - before > BURST_GAP_MS) break;
    burst.push(step);
    before = step.at;
    if (step.act.kind === "open" || step.act.kind === "raw") break;
  }
  return burst;
}

/** Returns the recorded time between the last act before a position and the next act after it. */
function pauseBetween(steps: readonly Step[], settledAt: number, next: number): number {
  const end = steps[next] ?? steps.at(-1);
  const start = steps[settledAt - 1] ?? steps[0];
  return (end?.at ?? 0) - (start?.at ?? 0);
}

function isTimed(scenario: Scenario): boolean {
  const isOnShortTimeout = scenario.steps.some(
    (step) =>
      "act" in step && step.act.kind === "open" && step.act.path.startsWith(SHORT_TIMEOUT_MOUNT),
  );
  return isOnShortTimeout || hasSilence(scenario);
}

/** Returns the texts of all acts of a scenario, as one text. */
function wordsOf({ steps }: Scenario): string {
  return steps
    .flatMap((step) => {
      if (!("act" in step)) return [];
      const { act } = step;
      if (act.kind === "text") return [act.text];
      if (act.kind === "binary") return [Buffer.from(act.bytes).toString("latin1")];
      return act.kind === "http" ? [Buffer.from(act.body).toString("latin1")] : [];
    })
    .join("\n");
}

/** Returns how long to wait at the end of a scenario, in ms; 0 if fences have covered everything. */
function quietAfter(scenario: Scenario): number {
  const { steps } = scenario;
  const acts = steps.flatMap((step) => ("act" in step ? [step.act] : []));
  const texts = acts.flatMap((act) => (act.kind === "text" ? [act.text] : []));
  const putOff = Object.entries(PUT_OFF_MS)
    .filter(([event]) => texts.some((text) => text.includes(`"${event}"`)))
    .map(([, ms]) => ms);
  // Raw connections are not fenced either, because all their frames come from the scenario.
  const isRaw = acts.some(({ kind }) => kind === "raw");
  // The last broadcasts of a scenario must not reach the clients of the next one.
  const hasTravel =
    isRaw ||
    acts.filter(({ kind }) => kind === "open" || kind === "http").length > 1 ||
    BROADCASTS.test(wordsOf(scenario));
  const longest = Math.max(0, ...putOff);
  return longest > 0 || hasTravel ? longest + TRAVEL_MS : 0;
}
