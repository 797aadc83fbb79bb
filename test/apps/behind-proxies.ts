/**
 * An app that says who its clients are, as far as it trusts those who name them.
 *
 * Runs on: every shard, which loads it by its URL. `BEHIND_PROXIES` has the endpoint's options, as JSON.
 */
import { defineChannel, defineEndpoint, defineSocket, ok } from "../../src/index.ts";
import { defineTransport } from "../../src/raw.ts";

const options = JSON.parse(process.env["BEHIND_PROXIES"] ?? "{}") as {
  readonly trustProxy?: readonly string[] | number;
  readonly proxyProtocol?: "v1" | "v2";
};

const socket = defineSocket({
  connect: ({ connectInfo }) => {
    const { scheme, host, port } = connectInfo.uri ?? {};
    return ok({ address: connectInfo.peerData?.address, uri: `${scheme}://${host}:${port}` });
  },
  limits: { perAddress: { connects: { limit: 3, perMs: 600_000 } } },
});

const room = defineChannel(socket, {
  join: ({ assigns: { address, uri } }) => ok({ address, uri }),
});

/** Answers with the result of a request to connect. */
const asked = defineTransport({
  name: "asked",
  start: (host) =>
    host.route("GET /asked", async (http) => {
      const { result } = await host.connect({ path: "/socket", http });
      return { status: 200, body: result };
    }),
});

export default defineEndpoint({
  ...options,
  checkOrigin: "conn",
  sockets: {
    "/socket": {
      socket,
      channels: { "room:*": room },
      longpoll: true,
      connectInfo: ["peerData", "uri"],
    },
  },
  transports: [asked],
  routes: {
    "GET /who": (request) => ({
      status: 200,
      body: `${request.peerAddress} ${request.header("simurgh-attached") ?? "-"}`,
    }),
  },
});
