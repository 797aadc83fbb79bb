/**
 * The app of the suite for transports, with server-sent events.
 *
 * Runs on: a shard.
 */

import { transportApp } from "../../src/testing/index.ts";
import { sseTransport } from "../../src/transport/sse/sse-transport.ts";

const options = { resumeMs: 500 };

export default transportApp({
  transports: [sseTransport([{ path: "/socket", options, hasChannels: true, hasJsonV2: true }])],
});
