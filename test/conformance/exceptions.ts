/**
 * The list of everything that may differ from the recorded Phoenix, each with a reason.
 *
 * Runs on: the main thread of the tests.
 *
 *   unbuilt transcript   not replayed; `missing` says what has to be built first
 *   unbuilt scenario     replayed and must differ; once it agrees, its entry here fails the test
 *   unplayable scenario  not replayed, because the recording lacks what a replay needs
 *   deviation            replayed, with our lines instead of Phoenix's at one connection; an unnecessary
 *                        entry fails the test. `src/protocol/README.md` explains each deviation.
 */

/** A whole transcript that is not replayed yet. */
export interface UnbuiltTranscript {
  readonly kind: "unbuilt transcript";
  readonly transcript: string;
  readonly missing: string;
}

/** A scenario that must still differ, because something is not built yet. */
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

/** A permanent difference: consecutive lines, in the format of `compare.ts`, at one connection. */
export interface Deviation {
  readonly kind: "deviation";
  readonly transcript: string;
  readonly scenario: string;
  readonly conn: string;
  readonly phoenix: readonly string[];
  readonly ours: readonly string[];
  readonly reason: string;
  /** The only engine that deviates; undefined for all engines. */
  readonly engine?: "native";
}

/** An entry of the list. */
export type Exception = UnbuiltTranscript | UnbuiltScenario | UnplayableScenario | Deviation;

const FRAMING = "06-websocket-framing";
const LONGPOLL = "10-longpoll";
const ECHOED =
  "the engine answers a client's close with the client's own code, if it knows the code";

/** Returns the line of a close frame at a raw connection. */
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
    reason: ECHOED,
    engine: "native",
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
    reason: "the engine itself ends the TCP connection if a client violates the framing rules",
    engine: "native",
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
    reason: "all clients are told to reconnect; after 1000 a client may not",
  };
}

/** Returns the line of a batch with these frames. */
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

/** Returns the permitted differences with an engine. */
export function exceptionsWith(engine: string): Exception[] {
  return EXCEPTIONS.filter(
    (entry) => entry.kind !== "deviation" || (entry.engine ?? engine) === engine,
  );
}

/** All permitted differences. */
export const EXCEPTIONS: readonly Exception[] = [
  {
    kind: "unplayable scenario",
    transcript: "12-presence",
    scenario: "many_at_once",
    missing: "what its five clients sent; in test/integration/presence, five clients join at once",
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
    reason: "JavaScript has one kind of number, so 1 and 1.0 are the same join_ref",
  },
  {
    kind: "deviation",
    transcript: "03-replies-broadcasts",
    scenario: "publish_http_non_map",
    conn: "(http)",
    phoenix: ["http 200 ok"],
    ours: ["http 500"],
    reason: "a broadcast that cannot be sent to V2 clients is refused, whether or not one listens",
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
    reason: "JSON.stringify can encode bytes within a payload: as an object of numbers",
  },
  {
    kind: "deviation",
    transcript: LONGPOLL,
    scenario: "aborted_poll_loses_nothing",
    conn: "l",
    phoenix: [emptyLine(204)],
    ours: [batchLine([replyFrame('"1","2"', "room:lobby", '{"n":1}')])],
    reason: "messages that arrive while the client's request is aborted wait for its next one",
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
    reason: "an empty line is not a message, whereas Phoenix takes it for an empty binary frame",
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
    reason: "only both ends of the recorded answer were kept; these are its 100 messages",
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
    reason: ECHOED,
    engine: "native",
  },
  {
    kind: "deviation",
    transcript: FRAMING,
    scenario: "raw_unmasked",
    conn: "a",
    phoenix: [closeFrame("1002"), "ended"],
    ours: [],
    reason: "the engine assumes that every frame is masked, and waits for four more bytes",
    engine: "native",
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
    reason:
      "the engine delivers whole messages, so the limit applies to messages rather than fragments",
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
    reason: "the engine shares one compressor, and so negotiates no context per connection",
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
    reason: "the engine only upgrades with a key of 24 characters",
  },
];
