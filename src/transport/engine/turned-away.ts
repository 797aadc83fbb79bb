/**
 * The answers of main to clients, while no shard is in the deal: 503, and the connection is closed.
 *
 * Runs on: main.
 */

import { COUNTER } from "../../memory/counters-layout.ts";
import { RETRY_AFTER_S } from "../../protocol/reserved.ts";
import { isFramed, refuseForGood } from "../http/framing.ts";
import type { ListenerParts } from "./listener-port.ts";
import type { EngineApp } from "./app-port.ts";

/** Makes an app answer all requests with 503, and counts them and its connections. */
export function turnAway(app: EngineApp, { tcp, counters }: ListenerParts): void {
  tcp.watch(app);
  app.any("/*", (response, request) => {
    if (!isFramed(request)) {
      refuseForGood(response, 400, tcp);
      return;
    }
    counters.add(COUNTER.turnedAway);
    response.writeStatus("503 Service Unavailable").writeHeader("retry-after", RETRY_AFTER_S);
    response.end(undefined, true);
  });
}
