/**
 * The suite's app with a transport that has the fault in the module's own URL, on ports from there.
 *
 * Runs on: a shard.
 */

import { connect } from "node:net";
import { once } from "node:events";

import { defineTransport } from "../../src/raw.ts";
import { transportApp } from "../../src/testing/index.ts";
import { eventStream } from "../examples/event-stream/transport.ts";
import { lines } from "../examples/lines/transport.ts";
import { FAULTS, faultyHost } from "../testing/transport/faults.ts";

const { searchParams } = new URL(import.meta.url);
const fault = FAULTS[searchParams.get("fault") ?? ""] ?? {
  fails: "",
  says: /./,
};
const firstPort = Number(process.env["LINES_PORT"]) + Number(searchParams.get("ports"));
const whole = fault.call ? eventStream("/socket") : lines(firstPort);

const transport = defineTransport({
  name: "faulty",
  async start(host) {
    if (fault.startsOnce && (await isListening(firstPort + host.context.shard))) return;
    await whole.start(faultyHost(host, fault));
  },
  stop: () => (fault.goesOn ? undefined : (whole.stop() as undefined)),
});

async function isListening(port: number): Promise<boolean> {
  const tcp = connect(port, "127.0.0.1");
  try {
    await once(tcp, "connect");
    return true;
  } catch {
    return false;
  } finally {
    tcp.destroy();
  }
}

export default transportApp({ transports: [transport] });
