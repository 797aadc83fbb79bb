/**
 * An app with a transport whose shards call each other when a test asks them to.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { defineEndpoint } from "../../src/index.ts";
import { defineTransport } from "../../src/raw.ts";

const line = defineTransport({
  name: "line",
  start(host) {
    const { shard } = host.context;
    let aborted = 0;
    let served = 0;
    host.onCall(async (request, { signal }) => {
      const text = Buffer.from(request).toString();
      if (text === "measure") host.measure("callsServed", (served += 1));
      if (text === "exit") process.exit(1);
      if (text === "throw") throw new Error("boom");
      if (text === "aborted") return String(aborted);
      if (text === "wait") {
        return new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            aborted += 1;
            resolve("");
          });
        });
      }
      return text === "shard" ? String(shard) : request;
    });
    host.measure("shard", shard);
    if (shard === 1) host.measure("callsServed", 0);
    host.route("GET /address", () => ({ status: 200, body: host.address }));
    // Calls an address with the body of the request.
    host.route("POST /call/:address/:timeout", async (request) => {
      const { address = "", timeout } = request.params;
      try {
        const options = { timeoutMs: Number(timeout) };
        return { status: 200, body: await host.call(address, await request.body(), options) };
      } catch (error) {
        return { status: 500, body: (error as { code: string }).code };
      }
    });
  },
});

export default defineEndpoint({ sockets: {}, transports: [line] });
