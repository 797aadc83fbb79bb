import { defineChannel, defineEndpoint, defineSocket, error, ok } from "simurgh";

const visitor = defineSocket({ connect: () => ok({}) });

/** Clients only listen; the host broadcasts the progress. Anyone who knows the topic can join. */
const job = defineChannel(visitor, {
  join: ({ topic }) =>
    /^job:[0-9a-f-]{36}$/.test(topic) ? ok() : error({ reason: "no such job" }),
});

export default defineEndpoint({
  sockets: {
    "/socket": {
      socket: visitor,
      channels: { "job:*": job },
      // The page is served by the application, on a port of its own.
      checkOrigin: ["//localhost", "//127.0.0.1"],
    },
  },
});
