/** The endpoint of the editor; `main.ts` serves it, with its page. */
import { defineChannel, defineEndpoint, defineSocket, error, ok, reply } from "simurgh";
import type { RouteResponse, ShardContext } from "simurgh";
import type { PageFile } from "./bundle.ts";
import { Documents } from "./documents.ts";

/** All that is written in any document, for the documents of each shard; no client can join it. */
const EVERYTHING = "editor:everything";

/** Those of this shard. Each has them all, since it started; a database would have them for good. */
const documents = new Documents(1_000);

const writer = defineSocket({ connect: () => ok({}) });

const editor = defineChannel(writer, {
  join: () => ok(),
  handleIn: {
    /** A client says what it has. It gets what it lacks, and is asked for what is lacking here. */
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
      // In this order: who syncs in between gets it twice, which does no harm, and not never.
      socket.context.broadcast(EVERYTHING, socket.topic, update);
      socket.broadcastFrom("update", update);
      return ok();
    },
  },
});

/** The page, as main has bundled it. */
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
    // What is lost between shards is made up for: channels of those topics end with phx_error then,
    // and clients that join anew say what they have.
    context.subscribe(EVERYTHING, ({ event, payload }) =>
      documents.update(event, payload as Uint8Array),
    );
  },
});
