import { defineChannel, defineEndpoint, defineSocket, error, ok, reply, typed } from "simurgh";
import type tasks from "./tasks.ts";

const SIDE = 64;
const MOST_BYTES = 4_000_000;

const visitor = defineSocket({ connect: () => ok({}) });

const studio = defineChannel(visitor, {
  tasks: typed<typeof tasks>(),
  join: () => ok(),
  handleIn: {
    async thumbnail(socket, png: unknown) {
      if (!(png instanceof Uint8Array)) return error({ reason: "a PNG must come as bytes" });
      try {
        // Transferred rather than copied, because nobody else uses these bytes.
        const transfer = [png.buffer as ArrayBuffer];
        const small = await socket.task("thumbnail", { png, side: SIDE }, { transfer });
        return reply("ok", small);
      } catch (failure) {
        return error({ reason: (failure as Error).message });
      }
    },
  },
});

export default defineEndpoint({
  sockets: {
    "/socket": {
      socket: visitor,
      channels: { studio },
      websocket: { maxFrameBytes: MOST_BYTES },
    },
  },
  tasks: new URL("./tasks.js", import.meta.url),
});
