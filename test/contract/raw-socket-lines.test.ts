/**
 * Raw sockets over a custom transport, the one of the example.
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
    // As over WebSocket, where a refusal is a status.
    return (await client.closed()).replace("refused", "403");
  },
  binary: (bytes) => `hex ${Buffer.from(bytes).toString("hex")}`,
  close: (code, text = "") => `${code} ${text}`.trim(),
});
