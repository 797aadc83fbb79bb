/**
 * A server on a free loopback port that echoes WebSocket messages and answers GET /hello, on the native engine.
 *
 * Runs on: any thread of a test.
 */

import { nativeModule } from "../../src/transport/engine/engine.ts";

/** Starts the server, and loads the engine if necessary. */
export function startEcho(): { readonly port: number; readonly stop: () => void } {
  const engine = nativeModule();
  const app = engine.App();
  let port = -1;
  app.ws("/echo", { message: (ws, message, isBinary) => void ws.send(message, isBinary) });
  app.get("/hello", (response) => void response.end("hello"));
  app.listen("127.0.0.1", 0, engine.LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
    if (socket !== false) port = engine.us_socket_local_port(socket);
  });
  return { port, stop: () => void app.close() };
}
