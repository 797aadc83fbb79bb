/**
 * An app that prints, and that can end its shard or block it while it prints.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { defineEndpoint } from "../../src/index.ts";

export default defineEndpoint({
  sockets: {},
  routes: {
    "GET /print/:lines": ({ params }) => {
      for (let n = 0; n < Number(params["lines"]); n += 1) {
        console.log(`out ${n} ${"x".repeat(200)}`);
        console.error(`err ${n} ${"x".repeat(200)}`);
      }
      return { status: 200, body: "printed" };
    },
    "GET /die": () => {
      setImmediate(() => {
        console.log("last words on stdout");
        process.stderr.write("last words on stderr\n");
        process.exit(3);
      });
      return { status: 200, body: "dying" };
    },
  },
});
