/**
 * Creates apps of uWebSockets.js, which serve https if they get a certificate.
 *
 * Main's app deals sockets to the shards' apps before anything is read from them, so each shard takes the handshakes of
 * its connections, with the certificate of its own app. Main's certificate is seen only by clients that main turns away
 * itself. All of them must be apps with TLS.
 *
 * The certificate of an app does not change. Tried with uWebSockets.js 20.57:
 *
 * - `addServerName` adds one for clients that name the server, but none for those that connect by an address. It needs
 *   routes of its own, does nothing if the name exists, and `*` stands for one label of a name. `missingServerName` can
 *   add names when a client asks for them, of which there is no end.
 * - `removeServerName` frees the routes, and the next request on a connection that was opened under that name crashes
 *   the process.
 *
 * So a certificate is replaced by restarting the shards. An app that is closed with open connections ends them, and
 * leaves as little behind for each of them as one without TLS.
 *
 * The engine (BoringSSL) speaks TLS 1.2 and 1.3 and ends a connection on a renegotiation, a request without TLS, or
 * any other garbage. A connection whose handshake is not complete counts as idle, and is closed after about half a
 * minute, whether or not bytes arrive.
 *
 * Runs on: main, shard.
 */

import { makeError } from "../../../errors.ts";
import type { AppOptions } from "../app-port.ts";
import { readTlsFiles, type TlsFiles } from "../tls-files.ts";
import type { NativeApp, NativeModule } from "./uws-types.ts";

/**
 * Creates an app without routes that does not listen.
 *
 * @throws SIM_ERR_TLS if the engine cannot use the files, or they have changed since they were checked
 */
export function createNativeApp(module: NativeModule, { tls }: Pick<AppOptions, "tls">): NativeApp {
  if (!tls) return module.App();
  readTlsFiles(tls);
  const app = trySecureApp(module, tls);
  try {
    // The engine has read the files in between.
    readTlsFiles(tls);
  } catch (error) {
    app.close();
    throw error;
  }
  return app;
}

function trySecureApp(module: NativeModule, { cert, key }: TlsFiles): NativeApp {
  try {
    return module.SSLApp({ cert_file_name: cert, key_file_name: key });
  } catch (cause) {
    throw makeError(
      "SIM_ERR_TLS",
      "the files of tlsCert and tlsKey must be of a kind that the engine supports (RSA, ECDSA with P-256, P-384 or P-521, Ed25519), got another one",
      { cause },
    );
  }
}
