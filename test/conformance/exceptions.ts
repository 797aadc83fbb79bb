/**
 * The one list of what may differ from the recorded Phoenix, each with its reason.
 *
 * Runs on: the main thread of the tests.
 *
 *   unbuilt transcript   nothing of it is played: `missing` says what has to be built first
 *   unbuilt scenario     it is played and must differ: once it agrees, its entry here fails the test
 *   deviation            it is played, and at one connection our lines stand in the place of Phoenix's;
 *                        one that is not needed fails the test. `src/protocol/README.md` explains each.
 */

/** A whole transcript that is not played yet. */
export interface UnbuiltTranscript {
  readonly kind: "unbuilt transcript";
  readonly transcript: string;
  readonly missing: string;
}

/** A scenario that cannot agree yet. */
export interface UnbuiltScenario {
  readonly kind: "unbuilt scenario";
  readonly transcript: string;
  readonly scenario: string;
  readonly missing: string;
}

/** A difference that stays. The lines are those of `compare.ts`, in a row at one connection. */
export interface Deviation {
  readonly kind: "deviation";
  readonly transcript: string;
  readonly scenario: string;
  readonly conn: string;
  readonly phoenix: readonly string[];
  readonly ours: readonly string[];
  readonly reason: string;
}

/** One entry of the list. */
export type Exception = UnbuiltTranscript | UnbuiltScenario | Deviation;

/** What may differ, and why. */
export const EXCEPTIONS: readonly Exception[] = [
  {
    kind: "unbuilt transcript",
    transcript: "07-handshake",
    missing: "connect info, origin checks, auth tokens, subprotocols, error handlers",
  },
  { kind: "unbuilt transcript", transcript: "08-origin-check-on", missing: "origin checks" },
  { kind: "unbuilt transcript", transcript: "10-longpoll", missing: "the long-poll transport" },
  { kind: "unbuilt transcript", transcript: "12-presence", missing: "presence" },
  {
    kind: "unbuilt transcript",
    transcript: "13-shutdown",
    missing: "a replayer that starts and signals a server of its own",
  },
  { kind: "unbuilt scenario", transcript: "11-vsn1", scenario: "presence", missing: "presence" },
  {
    kind: "deviation",
    transcript: "01-join",
    scenario: "join_float_and_object_refs",
    conn: "a",
    phoenix: [`text [1,true,"room:lobby","phx_reply",{"response":{"q":1},"status":"ok"}]`],
    ours: [
      `text [1,true,"room:lobby","phx_reply",{"response":{"q":1},"status":"ok"}]`,
      `text [1,"x","room:lobby","phx_reply",{"response":{"q":"1 === 1.0 ?"},"status":"ok"}]`,
    ],
    reason: "JSON has one kind of number: 1 and 1.0 are the same join_ref",
  },
  {
    kind: "deviation",
    transcript: "03-replies-broadcasts",
    scenario: "publish_http_non_map",
    conn: "(http)",
    phoenix: ["http 200 ok"],
    ours: ["http 500"],
    reason: "a broadcast that no V2 client could be sent is refused, whether or not one listens",
  },
];
