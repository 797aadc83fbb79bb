/** The endpoint of the editor; `main.ts` serves it together with its page. */
import { defineChannel, defineEndpoint, defineSocket, error, ok, reply } from "simurgh";
import type { RouteResponse, ShardContext } from "simurgh";
import type { PageFile } from "./bundle.ts";
import { Documents } from "./documents.ts";

/** Internal topic with the updates of all documents, for every shard's copies. No client can join it. */
const EVERYTHING = "editor:everything";

/** This shard's copies. Every shard has all documents since its start; use a database to keep them. */
const documents = new Documents(1_000);

const writer = defineSocket({ connect: () => ok({}) });

const editor = defineChannel(writer, {
  join: () => ok(),
  handleIn: {
    /** A client sends its state. It gets what it lacks, and is asked for what this shard lacks. */
    sync(socket, stateVector) {
      if (!(stateVector instanceof Uint8Array)) return error({ reason: "bytes?" });
      const missing = documents.missing(socket.topic, stateVector);
      if (!missing) return error({ reason: "no state vector" });
      socket.push("missing", documents.stateVector(socket.topic));
      return reply("ok", missing);
    },
    update(socket, update) {
      if (!(update instanceof Uint8Array) || !Documents.isUpdate(update)) {
        return error({ reason: "no update" });
      }
      // In this order, a client that syncs in between gets the update twice, which is harmless, rather
      // than never.
      socket.context.broadcast(EVERYTHING, socket.topic, update);
      socket.broadcastFrom("update", update);
      return ok();
    },
  },
});

/** Returns a file of the page, which the main thread has bundled. */
function fileOf({ data }: ShardContext, path: string): RouteResponse {
  const file = (data as Readonly<Record<string, PageFile>>)[path];
  if (!file) return { status: 404 };
  return { status: 200, headers: { "content-type": file.type }, body: file.text };
}

export default defineEndpoint({
  sockets: {
    "/socket": {
      socket: writer,
      channels: { "doc:*": editor },
      checkOrigin: "conn",
      websocket: { maxFrameBytes: 1_048_576 },
    },
  },
  routes: {
    "GET /": (request, context) => fileOf(context, request.path),
    "GET /page.js": (request, context) => fileOf(context, request.path),
  },
  start(context) {
    // No gap handler is needed: when messages between shards are lost, channels end with phx_error, and
    // the clients sync when they join again.
    context.subscribe(EVERYTHING, ({ event, payload }) =>
      documents.update(event, payload as Uint8Array),
    );
  },
});
