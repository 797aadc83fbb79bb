/**
 * Faults of transports, each a small change of a transport that has none. The key says what a transport with the fault
 * does.
 *
 * Runs on: the test's thread, which reads what fails; a shard, which runs a fault.
 */

import type {
  TransportClient,
  TransportConnection,
  TransportDecision,
  TransportHost,
  TransportRequest,
} from "../../../src/raw.ts";

type Send = (frame: string | Uint8Array) => void;
type Receive = TransportConnection["receive"];

/** A fault, and the case that finds it. */
export interface Fault {
  /** Name of the case. */
  readonly fails: string;
  /** What the case says. */
  readonly says: RegExp;
  /** Changes how frames are sent. */
  readonly send?: (send: Send) => Send;
  /** Changes how frames are received. */
  readonly receive?: (receive: Receive) => Receive;
  /** Changes how a client is closed. */
  readonly close?: (close: TransportClient["close"]) => TransportClient["close"];
  /** Changes how much is unsent. */
  readonly bufferedBytes?: (bytes: number, sentBytes: number) => number;
  /** Keeps the shard from learning of room or of an end, or the transport from reading on. */
  readonly mutes?: "drained" | "closed" | "resume";
  /** Changes the request to connect. */
  readonly request?: (request: TransportRequest) => TransportRequest;
  /** Changes the decision on it. */
  readonly decision?: (
    decision: TransportDecision,
  ) => TransportDecision | Promise<TransportDecision>;
  /** Sees every open connection. */
  readonly opened?: (connection: TransportConnection, client: TransportClient) => void;
  /** Changes the calls of other shards. The transport is then that of server-sent events, whose requests reach any. */
  readonly call?: (call: TransportHost["call"], own: string) => TransportHost["call"];
  /** Starts in no thread that follows another one. */
  readonly startsOnce?: boolean;
  /** Does not stop. */
  readonly goesOn?: boolean;
}

const kept: unknown[] = [];
const sends: Send[] = [];

/** All faults. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  "cuts off long messages": {
    fails: "carries messages both ways, in order, whatever their length",
    says: /as a frame of Phoenix's protocol/,
    send: (send) => (frame) => send(frame.slice(0, 65_536)),
  },
  "swaps messages": {
    fails: "carries messages both ways, in order, whatever their length",
    says: /the next message of ann, the reply to message/,
    send: (send) => {
      let held: string | Uint8Array | undefined;
      return (frame) => {
        if (!String(frame).includes('{"n":2')) send(frame);
        else held = frame;
        if (held === undefined || held === frame) return;
        send(held);
        held = undefined;
      };
    },
  },
  "delivers no broadcasts": {
    fails: "delivers broadcasts of clients and of the host, in order",
    says: /must get the event said within/,
    send: (send) => (frame) => String(frame).startsWith("[null") || send(frame),
  },
  "takes a line break for an end": {
    fails: "carries messages with line breaks between the parts of their JSON",
    says: /must get the event broken as a frame/,
    send: (send) => (frame) =>
      send(typeof frame === "string" ? String(frame.split("\n")[0]) : frame),
  },
  "sends bytes as text": {
    fails: "carries bytes between texts, in order",
    says: /must get the reply to message \d+ as a frame/,
    send: (send) => (frame) =>
      send(typeof frame === "string" ? frame : Buffer.from(frame).toString()),
  },
  "trims what it receives": {
    fails: "carries any text and any bytes, empty ones included",
    says: /the frame must be '\\n', got ''/,
    receive: (receive) => (frame) => receive(typeof frame === "string" ? frame.trim() : frame),
  },
  "sends no empty frames": {
    fails: "carries any text and any bytes, empty ones included",
    says: /must get the frame that it sent within/,
    send: (send) => (frame) => frame.length === 0 || send(frame),
  },
  "passes on only the parameters that it knows": {
    fails: "passes all parameters to connect, and names itself",
    says: /the parameters of connect must be/,
    request: ({ params = {}, ...rest }) => {
      const { vsn, user } = params;
      return { ...rest, params: { vsn, user } };
    },
  },
  "sends what is for one client to another": {
    fails: "keeps clients apart",
    says: /the reply to ann must be/,
    send: (send) => {
      sends.push(send);
      return (frame) => {
        const isForBob = String(frame).includes('"for":"bob"');
        if (String(frame).includes('"for":')) sends[isForBob ? 0 : 1]?.(frame);
        else send(frame);
      };
    },
  },
  "tells refused clients nothing": {
    fails: "tells a client that it is refused, and lets it try again",
    says: /must learn that it may not connect within/,
    decision: (decision) => (decision.result === "ok" ? decision : new Promise(() => {})),
  },
  "says that all clients that may not connect are refused": {
    fails: "tells a client that connect failed, and lets it try again",
    says: /must be 'failed', got 'refused'/,
    decision: refusedUnlessOk,
  },
  "says that clients over a limit are refused": {
    fails: "tells a client that it connects too often",
    says: /must be 'limited', got 'refused'/,
    decision: refusedUnlessOk,
  },
  "says that clients for which there is no time are refused": {
    fails: "tells a client that the server has no time for it",
    says: /must be 'unavailable', got 'refused'/,
    decision: refusedUnlessOk,
  },
  "opens connections of clients that have left": {
    fails: "forgets a client that leaves while the server decides",
    says: /must have 1 connections within .* got 2/,
    decision(decision) {
      if (decision.result !== "ok") return decision;
      let client: TransportClient = { send() {}, close() {} };
      const connection = decision.open({
        send: (frame) => client.send(frame),
        close: (code, text) => client.close(code, text),
      });
      const open = (given: TransportClient): TransportConnection => {
        client = given;
        return connection;
      };
      return { ...decision, open };
    },
  },
  "does not end clients": {
    fails: "ends a client as the server says, and no other",
    says: /the connection of ann must end within/,
    close: () => () => {},
  },
  "ends all clients with one": {
    fails: "ends a client as the server says, and no other",
    says: /got 0|got the end of the connection/,
    opened: (_, client) => void kept.push(client),
    close: () => (code, text) => {
      for (const client of kept as TransportClient[]) client.close(code, text);
    },
  },
  "ends clients with a code of its own": {
    fails: "tells its clients the code with which the server ends them",
    says: /must be 1001, got 1000/,
    close: (close) => (_, text) => close(1000, text),
  },
  "ends clients before what it was to send": {
    fails: "sends everything that comes before an end",
    says: /got the end of the connection with 1001/,
    send: (send) => (frame) => void setImmediate(() => send(frame)),
  },
  "does not tell that clients closed": {
    fails: "notices that a client closes its connection",
    says: /a shard must notice the end of the client ann/,
    mutes: "closed",
  },
  "does not tell that clients are gone": {
    fails: "notices that a client is cut off",
    says: /a shard must notice the end of the client ann/,
    mutes: "closed",
  },
  "fails if a frame comes after the end": {
    fails: "takes frames of a client that has been ended, without effect",
    says: /the transport must not fail, got uncaught exception .*too late/,
    // So that the frame is still read.
    close: (close) => (code, text) => void setTimeout(() => close(code, text), 300),
    opened: (connection) => {
      const receive = connection.receive.bind(connection);
      Object.assign(connection, {
        receive(frame: string | Uint8Array) {
          if (!connection.isOpen) setImmediate(() => throwLate());
          return receive(frame);
        },
      });
    },
  },
  "keeps clients that are gone": {
    fails: "forgets clients that are gone",
    says: /must keep nothing of clients that are gone, got \d+ of 40/,
    opened: (connection) => void kept.push(connection),
  },
  "loses what it cannot send at once": {
    fails: "sends everything to a client that pauses",
    says: /the number of the piece must be|must get piece/,
    send: (send) => {
      let sentBytes = 0;
      return (frame) => {
        sentBytes += frame.length;
        if (sentBytes < 8_000_000) send(frame);
      };
    },
  },
  "says that nothing is unsent": {
    fails: "reports unsent bytes: a client that reads nothing is cut, and others are served",
    says: /a shard must notice the end of the client ann/,
    bufferedBytes: () => 0,
  },
  "takes its time to end slow clients": {
    fails: "reports unsent bytes: a client that reads nothing is cut, and others are served",
    says: /the code of a client that is cut must be 1006, got 1001/,
    close: (close) => (code, text) => close(code === 1006 ? 1001 : code, text),
  },
  "says that everything it has sent is unsent": {
    fails: "reports only unsent bytes: a client that reads is not cut, whatever it is sent",
    says: /got the end of the connection with 1006/,
    bufferedBytes: (_, sentBytes) => sentBytes,
  },
  "does not tell of room": {
    fails: "says that a client has room again",
    says: /must get the broadcast that waited for room within/,
    mutes: "drained",
  },
  "does not tell that everything is sent": {
    fails: "sends everything to a client that pauses while the server closes, and ends it then",
    says: /the connection of ann must end within/,
    mutes: "drained",
  },
  "reads on, whatever it is told": {
    fails: "reads no more from a client than is handled, and then reads on",
    says: /got the end of the connection with 1006/,
    receive: (receive) => (frame) => {
      receive(frame);
      return true;
    },
  },
  "does not read on": {
    fails: "reads no more from a client than is handled, and then reads on",
    says: /must get the reply to message \d+ within/,
    mutes: "resume",
  },
  "serves few clients": {
    fails: "serves many clients at once",
    says: /got the refusal "unavailable"/,
    opened: (connection) => void kept.push(connection),
    decision: (decision) => (kept.length < 20 ? decision : { result: "unavailable" }),
  },
  "does not take messages to other shards": {
    fails:
      "takes messages to the shard of their client, in order, whichever shard they reach first",
    says: /must be answered with 204, got 503/,
    call: (call, own) => async (address, body) => {
      if (address === own) return call(address, body);
      throw new Error("another shard");
    },
  },
  "waits for a shard that is gone": {
    fails: "tells clients to reconnect when their shard is restarted, and then serves them again",
    says: /send of user \d must settle within/,
    call: (call) => async (address, body) =>
      call(address, body).catch(() => new Promise<never>(() => {})),
  },
  "does not come back after a restart": {
    fails: "tells clients to reconnect when their shard is restarted, and then serves them again",
    says: /no server at \d+/,
    startsOnce: true,
  },
  "does not say that clients should reconnect": {
    fails: "tells clients to reconnect when their shard is restarted, and then serves them again",
    says: /must be 1012, got 1000/,
    close: (close) => (_, text) => close(1000, text),
  },
  "does not stop": {
    fails: "ends all clients when the server closes, stops, and leaves room for the next server",
    says: /the transport must not fail, got shard did not finish in time/,
    goesOn: true,
  },
};

function refusedUnlessOk(decision: TransportDecision): TransportDecision {
  return decision.result === "ok" ? decision : { result: "refused", reason: undefined };
}

function throwLate(): void {
  throw new Error("too late");
}

/** Returns the host of a transport, with the fault between them. */
export function faultyHost(host: TransportHost, fault: Fault): TransportHost {
  const call: TransportHost["call"] = async (...given) => host.call(...given);
  return {
    ...host,
    call: fault.call?.(call, host.address) ?? call,
    async connect(request) {
      const decided = await host.connect(fault.request?.(request) ?? request);
      const decision = (await fault.decision?.(decided)) ?? decided;
      if (decision.result !== "ok") return decision;
      return { ...decision, open: (client) => faultyConnection(decision, client, fault) };
    },
  };
}

function faultyConnection(
  decision: { open(client: TransportClient): TransportConnection },
  client: TransportClient,
  fault: Fault,
): TransportConnection {
  let sentBytes = 0;
  const send = (frame: string | Uint8Array): void => {
    sentBytes += frame.length;
    client.send(frame);
  };
  const close = (code: number, text: string): void => client.close(code, text);
  const connection = decision.open({
    send: fault.send?.(send) ?? send,
    close: fault.close?.(close) ?? close,
    resume: () => fault.mutes === "resume" || client.resume?.(),
    get bufferedBytes() {
      const bytes = client.bufferedBytes ?? 0;
      return fault.bufferedBytes?.(bytes, sentBytes) ?? bytes;
    },
  });
  if (fault.receive) {
    const receive = connection.receive.bind(connection);
    Object.assign(connection, { receive: fault.receive(receive) });
  }
  const { mutes } = fault;
  if (mutes && mutes !== "resume") Object.assign(connection, { [mutes]: () => {} });
  fault.opened?.(connection, client);
  return connection;
}
