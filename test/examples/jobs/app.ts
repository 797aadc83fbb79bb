import { defineChannel, defineEndpoint, defineSocket, error, ok } from "simurgh";

const visitor = defineSocket({ connect: () => ok({}) });

/** Clients only listen here: what happens is said by the host. Its name is the key to a job. */
const job = defineChannel(visitor, {
  join: ({ topic }) =>
    /^job:[0-9a-f-]{36}$/.test(topic) ? ok() : error({ reason: "no such job" }),
});

export default defineEndpoint({
  sockets: {
    "/socket": {
      socket: visitor,
      channels: { "job:*": job },
      // The page comes from the application, which has a port of its own.
      checkOrigin: ["//localhost", "//127.0.0.1"],
    },
  },
});
