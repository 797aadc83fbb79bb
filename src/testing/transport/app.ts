/**
 * `transportApp`, the app with which `transportCases` tests a transport: one socket at `/socket`, whose channels
 * answer, flood, and report what they see.
 *
 * Runs on: shard. What a shard sees gets to the test as broadcasts on one topic (`NOTES`).
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import {
  defineChannel,
  defineEndpoint,
  defineSocket,
  error,
  LOG_LINES,
  ok,
  type EndpointCallbacks,
  type EndpointDefinition,
  type LogSink,
  type ShardContext,
} from "../../index.ts";
import { JsonText } from "../../protocol/json-text.ts";
import { defineSerializer, jsonV2 } from "../../raw.ts";

/** Topic of what shards report to the test. */
export const NOTES = "transport-app:notes";
/** Topic on which the test lets the clients connect that wait for it. */
export const RELEASES = "transport-app:releases";
/** The path of the socket. */
export const PATH = "/socket";
/** The version whose frames are any text and any bytes: `JOIN` joins, and all others come back. */
export const ANY_VSN = "9.0.0";
export const JOIN = "join";
/** The first reply of that version. */
export const JOINED = "joined";
/** How often the clients with one id may connect to a server. */
export const MOST_CONNECTS = 2;
/** JSON with everything between its parts that formats of lines and events may stumble over. */
export const BROKEN_JSON = '{\n\n"a":\r\n"data: =!",\r"b":\t[\n1,\n\n2]\n}';
/** Lines of the log that say that a transport failed. */
export const FAILURES: readonly string[] = [
  LOG_LINES.transportFailed.text,
  LOG_LINES.routeFailed.text,
  LOG_LINES.uncaught.text,
  LOG_LINES.shardTerminated.text,
];

/** Something that a shard has seen. */
export interface Note {
  readonly what: "connecting" | "gone" | "flooded" | "failed";
  /** The client's parameter `user`, or the text of the line that was logged. */
  readonly who: string;
}

const ANY_TOPIC = "any:1";

/** A serializer for which every frame is the payload of a message. */
const anyFrames = defineSerializer({
  decode: (frame) => ({
    joinRef: "1",
    ref: "1",
    topic: ANY_TOPIC,
    event: frame === JOIN ? "phx_join" : "echo",
    payload: typeof frame === "string" ? { frame } : frame,
  }),
  encode({ payload }) {
    const { response } = payload as { readonly response: Uint8Array | { readonly frame?: string } };
    return response instanceof Uint8Array ? response : (response.frame ?? JOINED);
  },
});

let context: ShardContext | undefined;
/** Connections that wait for a broadcast on `RELEASES`. */
const waiting = new Set<() => void>();
/** The parameters of every request to connect. Those of clients that are gone must be garbage. */
const requests: WeakRef<object>[] = [];

function note(what: Note["what"], who = ""): void {
  context?.broadcast(NOTES, what, { who });
}

const socket = defineSocket({
  async connect({ params, transport }) {
    requests.push(new WeakRef(params));
    const { user = "", refuse, fail, wait } = params as Record<string, string>;
    note("connecting", user);
    if (refuse !== undefined) return error({ reason: refuse });
    if (fail !== undefined) throw new Error("connect fails, as this client wants it to");
    if (wait !== undefined) await released();
    return ok({ user, params, transport });
  },
  id: ({ assigns }) => assigns.user || null,
  limits: { perId: { connects: { limit: MOST_CONNECTS, perMs: 3_600_000 } } },
});

/** Resolves with the next broadcast on `RELEASES`. */
async function released(): Promise<void> {
  await new Promise<void>((resolve) => {
    waiting.add(resolve);
  });
}

interface Flood {
  readonly count: number;
  readonly bytes: number;
}

interface Work {
  readonly n: number;
  readonly ms: number;
  readonly fill: string;
}

const room = defineChannel(socket, {
  join: ({ shard, assigns: { params, transport } }) => ok({ shard, params, transport }),
  handleIn: {
    echo: (_, payload: object) => ok(payload),
    where: ({ shard }, { n }: { readonly n: number }) => ok({ n, shard }),
    say: (one, payload: object) => one.broadcast("said", payload),
    /** Keeps the shard busy for as long as a client's message asks. */
    work(_, { ms, n }: Work) {
      const endMs = performance.now() + ms;
      while (performance.now() < endMs);
      return ok({ n });
    },
    flood(one, { count, bytes }: Flood) {
      const fill = "x".repeat(bytes);
      for (let n = 0; n < count; n += 1) one.push("piece", { n, fill });
      note("flooded", one.assigns.user);
      return ok();
    },
    break_lines: (one) => one.push("broken", new JsonText(BROKEN_JSON)),
    /** Pushes, and ends the connection in the same turn. */
    push_and_end(one, { count, bytes }: Flood) {
      const fill = "x".repeat(bytes);
      for (let n = 0; n < count; n += 1) one.push("piece", { n, fill });
      one.context.disconnect(one.assigns.user);
    },
    /** Counts the clients that this shard cannot forget. */
    survivors: async () => ok({ count: await countSurvivors() }),
  },
  terminate: ({ assigns }) => note("gone", assigns.user),
});

/** A channel whose broadcasts wait for clients without room. */
const latest = defineChannel(socket, { join: () => ok(), slow: "conflate" });

async function countSurvivors(): Promise<number> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let round = 0; round < 3; round += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    collect();
  }
  return requests.filter((one) => one.deref() !== undefined).length;
}

/** The shard's log, of which only what says that a transport failed gets to the test. */
const failures: LogSink = {
  debug() {},
  info() {},
  warn: noteFailure,
  error: noteFailure,
};

function noteFailure(fields: object, text: string): void {
  if (!FAILURES.includes(text)) return;
  const why = "err" in fields ? `: ${String(fields.err)}` : "";
  // Later, because a line may be logged from within anything.
  setImmediate(() => note("failed", text + why));
}

/**
 * Defines the app for `transportCases`, with the transports that it tests.
 *
 * ```ts
 * export default transportApp({ transports: [lines(4_100)] });
 * ```
 */
export function transportApp(
  given: Pick<EndpointCallbacks, "transports" | "start" | "stop">,
): EndpointDefinition {
  const { start, ...rest } = given;
  return defineEndpoint({
    ...rest,
    sockets: {
      [PATH]: {
        socket,
        channels: { "room:*": room, "latest:*": latest, [ANY_TOPIC]: room },
        serializers: [
          { serializer: jsonV2, version: "~> 2.0" },
          { serializer: anyFrames, version: "~> 9.0" },
        ],
      },
    },
    logger: failures,
    start(own) {
      context = own;
      own.subscribe(RELEASES, () => {
        for (const release of waiting) release();
        waiting.clear();
      });
      return start?.(own);
    },
  });
}
