/**
 * Makes request heads without an engine.
 *
 * Runs on: the test's thread.
 */
import type { Header, RequestHead } from "../../src/transport/http/request-head.ts";

/** Makes the head of a request with these headers. */
export function headWith(...headers: readonly Header[]): RequestHead {
  return {
    method: "GET",
    path: "/socket/websocket",
    query: "vsn=2.0.0",
    pathParams: {},
    headers,
    bodyBytes: 0,
    isFramed: true,
    isLast: false,
    peerAddress: "127.0.0.1",
    scheme: "http",
    forwardedHost: undefined,
    isAdmitted: true,
  };
}
