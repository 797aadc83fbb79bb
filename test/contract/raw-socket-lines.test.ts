/**
 * Raw sockets over a transport of a user's own: that of the example.
 *
 * Runs on: the test's thread.
 */

import { lines } from "../examples/lines/transport.ts";
import { LineClient } from "../support/line-client.ts";
import { describeRawSocket } from "./raw-socket.contract.ts";

describeRawSocket({
  name: "lines",
  endpoint: (ownPort) => ({ transports: [lines(ownPort)] }),
  connect: async ({ ownPort }, query = "") => LineClient.connect(ownPort, `/raw?${query}`),
  refused: async ({ ownPort }, query = "") => {
    const client = await LineClient.connect(ownPort, `/raw?${query}`);
    // As it is told by WebSocket, where it is a status.
    return (await client.closed()).replace("refused", "403");
  },
  binary: (bytes) => `hex ${Buffer.from(bytes).toString("hex")}`,
  close: (code, text = "") => `${code} ${text}`.trim(),
});
