/**
 * The one list of what may differ from the recorded Phoenix, each with its reason.
 *
 * Runs on: the main thread of the tests.
 *
 *   unbuilt transcript   nothing of it is played: `missing` says what has to be built first
 *   unbuilt scenario     it is played and must differ: once it agrees, its entry here fails the test
 *   unplayable scenario  it is not played: the recording lacks what a replay needs
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

/** A scenario that cannot be replayed. */
export interface UnplayableScenario {
  readonly kind: "unplayable scenario";
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
export type Exception = UnbuiltTranscript | UnbuiltScenario | UnplayableScenario | Deviation;

const FRAMING = "06-websocket-framing";
const LONGPOLL = "10-longpoll";

/** Line of a close frame at a raw connection. */
function closeFrame(code: string): string {
  return `frame fin=1 rsv=0 opcode=8 masked=0 close ${code} ""`;
}

function echoes(conn: string, ours: string): Deviation {
  return {
    kind: "deviation",
    transcript: FRAMING,
    scenario: "client_close_codes",
    conn,
    phoenix: ['closed 1000 ""'],
    ours: [ours],
    reason: "the engine answers a client's close with the client's own code, where it knows it",
  };
}

function cut(scenario: string): Deviation {
  return {
    kind: "deviation",
    transcript: FRAMING,
    scenario,
    conn: "a",
    phoenix: [closeFrame("1002"), "ended"],
    ours: ["ended"],
    reason: "the engine ends the TCP connection itself where a client breaks the rules of framing",
  };
}

function restarts(scenario: string, conn: string): Deviation {
  const isRaw = conn === "r";
  return {
    kind: "deviation",
    transcript: "13-shutdown",
    scenario,
    conn,
    phoenix: [isRaw ? closeFrame("1000") : 'closed 1000 ""'],
    ours: [isRaw ? closeFrame("1012") : 'closed 1012 ""'],
    reason: "all connections are told to come back, after 1000 a client may not",
  };
}

/** The line of a batch with these frames. */
function batchLine(frames: readonly string[]): string {
  const messages = JSON.stringify(frames);
  return `http 200 access-control-allow-origin: * {"messages":${messages},"status":200,"token":"(free)"}`;
}

function emptyLine(status: number): string {
  return `http 200 access-control-allow-origin: * {"messages":[],"status":${status},"token":"(free)"}`;
}

function replyFrame(refs: string, topic: string, response: string): string {
  return `[${refs},"${topic}","phx_reply",{"response":${response},"status":"ok"}]`;
}

/** What may differ, and why. */
export const EXCEPTIONS: readonly Exception[] = [
  {
    kind: "unplayable scenario",
    transcript: "12-presence",
    scenario: "many_at_once",
    missing: "what its five clients sent; test/integration/presence has five join at once",
  },
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
  {
    kind: "deviation",
    transcript: "04-binary",
    scenario: "binary_join_params",
    conn: "a",
    phoenix: ['closed 1011 ""'],
    ours: [
      `text ["1","1","room:echo_params","phx_reply",{"response":{"params":{"0":1,"1":2}},"status":"ok"}]`,
      `text [null,"hb","phoenix","phx_reply",{"response":{},"status":"ok"}]`,
    ],
    reason: "JSON can write bytes that are a part of a payload: as an object of numbers",
  },
  {
    kind: "deviation",
    transcript: LONGPOLL,
    scenario: "aborted_poll_loses_nothing",
    conn: "l",
    phoenix: [emptyLine(204)],
    ours: [batchLine([replyFrame('"1","2"', "room:lobby", '{"n":1}')])],
    reason: "what came while the client's request was aborted waits for its next one",
  },
  {
    kind: "deviation",
    transcript: LONGPOLL,
    scenario: "ndjson_trailing_newline",
    conn: "l",
    phoenix: ['http 200 access-control-allow-origin: * {"status":408}', emptyLine(410)],
    ours: [
      'http 200 access-control-allow-origin: * {"status":200}',
      batchLine([replyFrame('"1","1"', "room:lobby", "{}")]),
    ],
    reason: "an empty line is no message, where Phoenix takes it for an empty binary frame",
  },
  {
    kind: "deviation",
    transcript: LONGPOLL,
    scenario: "ndjson_over_100",
    conn: "(http)",
    phoenix: ["http 200 access-control-allow-origin: *"],
    ours: [
      batchLine(
        Array.from({ length: 100 }, (_, at) => replyFrame(`null,"h${at}"`, "phoenix", "{}")),
      ),
    ],
    reason: "of the recorded answer only the ends were kept; its 100 messages are those",
  },
  echoes("a", 'closed 1000 "bye"'),
  echoes("b", 'closed 1005 ""'),
  echoes("c", 'closed 4999 ""'),
  echoes("d", 'closed 1005 ""'),
  echoes("e", 'closed 1001 "going"'),
  {
    kind: "deviation",
    transcript: FRAMING,
    scenario: "raw_close_empty",
    conn: "a",
    phoenix: [closeFrame("1000")],
    ours: [closeFrame("without a code")],
    reason: "the engine answers a client's close with the client's own code, where it knows it",
  },
  {
    kind: "deviation",
    transcript: FRAMING,
    scenario: "raw_unmasked",
    conn: "a",
    phoenix: [closeFrame("1002"), "ended"],
    ours: [],
    reason: "the engine takes every frame for masked, and waits for four bytes more",
  },
  cut("raw_reserved_opcode_3"),
  cut("raw_reserved_opcode_11"),
  cut("raw_continuation_without_start"),
  cut("raw_ping_126"),
  {
    kind: "deviation",
    transcript: FRAMING,
    scenario: "small_max_fragmented",
    conn: "a",
    phoenix: [
      'frame fin=1 rsv=0 opcode=1 masked=0 [null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]',
    ],
    ours: [closeFrame("1009"), "ended"],
    reason: "the engine hands over whole messages: the limit is one of messages, not of fragments",
  },
  {
    kind: "deviation",
    transcript: FRAMING,
    scenario: "small_compress",
    conn: "a",
    phoenix: ["status 101 sec-websocket-extensions: permessage-deflate;client_max_window_bits=15"],
    ours: [
      "status 101 sec-websocket-extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    ],
    reason: "the engine shares one compressor, and so agrees to no context for each connection",
  },
  restarts("sigterm_ws_joined", "b"),
  restarts("sigterm_ws_no_channels", "r"),
  restarts("sigterm_ws_no_channels", "b"),
  restarts("sigterm_push_during_drain", "a"),
  {
    kind: "deviation",
    transcript: "07-handshake",
    scenario: "key_short",
    conn: "a",
    phoenix: ["status 101"],
    ours: ["status 400"],
    reason: "the engine upgrades with a key of 24 characters only",
  },
];
