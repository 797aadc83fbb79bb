/**
 * The files of a server's certificate, as an engine reads them.
 *
 * Runs on: main, shard.
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { makeError } from "../../errors.ts";

/** The files of a certificate. */
export interface TlsFiles {
  /** Path of the certificates in PEM, that of the server first. */
  readonly cert: string;
  /** Path of the private key in PEM. */
  readonly key: string;
  /** What `digestOf` returned when the files were checked. */
  readonly digest: string;
}

/** Returns a digest of the contents of both files. */
export function digestOf(cert: Uint8Array, key: Uint8Array): string {
  const lengths = `${cert.byteLength} ${key.byteLength} `;
  return createHash("sha256").update(lengths).update(cert).update(key).digest("hex");
}

/**
 * Reads the files.
 *
 * @throws SIM_ERR_TLS if they cannot be read, or have changed since they were checked
 */
export function readTlsFiles({ cert, key, digest }: TlsFiles): {
  readonly cert: Uint8Array;
  readonly key: Uint8Array;
} {
  let read: { readonly cert: Uint8Array; readonly key: Uint8Array };
  try {
    read = { cert: readFileSync(cert), key: readFileSync(key) };
  } catch (cause) {
    const message = `the files of tlsCert and tlsKey must stay readable, got ${String(cause)}`;
    throw makeError("SIM_ERR_TLS", message, { cause });
  }
  if (digestOf(read.cert, read.key) === digest) return read;
  const message =
    "the files of tlsCert and tlsKey must not change while they are loaded, got others";
  throw makeError("SIM_ERR_TLS", message);
}
