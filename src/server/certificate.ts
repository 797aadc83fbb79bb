/**
 * The certificate of a server, with its key: reads both files, checks them, and gives them to the threads.
 *
 *   read --> in PEM, one key without a passphrase, of the first certificate --> the engine makes an app of them --> current
 *     |                                |                                                  |
 *     +--------------------------------+----------- SIM_ERR_TLS: the previous one stays --+
 *
 * Each thread of a shard that starts gets the current one, and the files are read again before (`Supervisor.launch`). So
 * a restart of the shards replaces the certificate, and files that are wrong, or half written, harm nobody.
 *
 * The engine reads files only. Where the system has files in memory (Linux), it gets copies there, without a name, that
 * exist as long as the process: the user's files may then change at any moment, or belong to a user that the process
 * no longer is. Elsewhere it reads the user's files, and a shard that starts while they are wrong fails.
 *
 * Runs on: main.
 * Owns:    the descriptors of the copies, also those of the previous certificate, which a thread may be reading.
 * Secret:  the key is in these copies and in the engine, but in no line and no error.
 */

import { createPrivateKey, randomUUID, X509Certificate, type KeyObject } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { makeError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import { NO_FILE, OPTIONS, type ResolvedOptions } from "../options/options.ts";
import type { Engine } from "../transport/engine/engine-port.ts";
import { digestOf, type TlsFiles } from "../transport/engine/tls-files.ts";

/** Much larger than a chain of certificates, so that a wrong path does not fill the memory. */
const MAX_BYTES = 1_048_576;
const MEMORY_FOLDER = "/dev/shm";
/** Only this user may open the copies. */
const MODE = 0o600;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;
const KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

type Name = "tlsCert" | "tlsKey";

type CertificateOptions = Pick<ResolvedOptions, Name | "maxHeaderBytes">;

/** A file that exists in memory only. */
interface MemoryFile {
  readonly path: string;
  readonly descriptor: number;
}

/** A checked certificate. */
interface Checked {
  readonly files: TlsFiles;
  readonly first: X509Certificate;
  readonly copies: readonly MemoryFile[];
}

/** The certificate of a server. */
export class Certificate {
  readonly #engine: Pick<Engine, "createApp">;
  readonly #maxHeaderBytes: number;
  readonly #paths: Readonly<Record<Name, string>>;
  readonly #memoryFolder: string;
  #logger: Logger | undefined;
  #current: Checked;
  #previous: Checked | undefined;
  /** The last line that said why files were not loaded: each start of a shard reads them. */
  #lastFailure = "";

  private constructor(
    engine: Pick<Engine, "createApp">,
    { tlsCert, tlsKey, maxHeaderBytes }: CertificateOptions,
    memoryFolder: string,
  ) {
    this.#engine = engine;
    this.#maxHeaderBytes = maxHeaderBytes;
    this.#paths = { tlsCert: resolve(tlsCert), tlsKey: resolve(tlsKey) };
    this.#memoryFolder = memoryFolder;
    this.#current = this.#read(undefined);
  }

  /**
   * Loads the certificate.
   *
   * @param memoryFolder - where files are in memory only, if the system has such a folder
   * @returns undefined if the server has none
   * @throws SIM_ERR_TLS
   */
  static load(
    engine: Pick<Engine, "createApp">,
    options: CertificateOptions,
    memoryFolder = MEMORY_FOLDER,
  ): Certificate | undefined {
    return options.tlsCert === NO_FILE ? undefined : new Certificate(engine, options, memoryFolder);
  }

  /** The files for the engine. */
  get files(): TlsFiles {
    return this.#current.files;
  }

  /** Logs what was loaded, and from now on what is loaded. */
  logTo(logger: Logger): void {
    this.#logger = logger;
    this.#logLoaded();
  }

  /**
   * Reads the files again. If they have changed, threads that start from now on get them.
   *
   * @throws SIM_ERR_TLS if they cannot be used; the previous ones are kept
   */
  reload(): void {
    const read = this.#read(this.#current);
    this.#lastFailure = "";
    if (read === this.#current) return;
    close(this.#previous);
    this.#previous = this.#current;
    this.#current = read;
    this.#logLoaded();
  }

  /** Does the same, but logs the error. */
  tryReload(): void {
    try {
      this.reload();
    } catch (error) {
      const message = String(error);
      if (message === this.#lastFailure) return;
      this.#lastFailure = message;
      this.#logger?.log("tlsNotLoaded", { err: error });
    }
  }

  /** Frees the copies. No thread may start afterwards. */
  close(): void {
    close(this.#previous);
    this.#previous = undefined;
    close(this.#current);
  }

  /** @returns `known` if the files are still the same */
  #read(known: Checked | undefined): Checked {
    const { tlsCert, tlsKey } = this.#paths;
    const cert = readPem("tlsCert", tlsCert);
    const key = readPem("tlsKey", tlsKey);
    const digest = digestOf(cert, key);
    if (known?.files.digest === digest) return known;
    const first = firstOf(tlsCert, cert);
    if (!first.checkPrivateKey(privateKeyOf(tlsKey, key))) {
      throw tlsError(
        "tlsKey",
        `must be the key of the first certificate of tlsCert, which must be that of the server, got another one: ${tlsKey}`,
      );
    }
    const copies = memoryFilesOf(this.#memoryFolder, cert, key);
    const [certCopy, keyCopy] = copies;
    const files = { cert: certCopy?.path ?? tlsCert, key: keyCopy?.path ?? tlsKey, digest };
    const checked = { files, first, copies };
    try {
      this.#engine.createApp({ maxHeaderBytes: this.#maxHeaderBytes, tls: files }).close();
    } catch (error) {
      close(checked);
      throw error;
    }
    return checked;
  }

  #logLoaded(): void {
    const { subjectAltName: names, validFrom, validTo } = this.#current.first;
    this.#logger?.log("tlsLoaded", { names, validTo });
    const nowMs = Date.now();
    const isValid = Date.parse(validFrom) <= nowMs && nowMs <= Date.parse(validTo);
    if (!isValid) this.#logger?.log("tlsNotValid", { validFrom, validTo });
  }
}

/** Reads a file, which must not be a device or a pipe. */
function readPem(name: Name, path: string): Buffer {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    const stats = fstatSync(descriptor);
    if (!stats.isFile() || stats.size > MAX_BYTES) {
      throw tlsError(name, `must be a file of at most ${MAX_BYTES} (bytes), got ${path}`);
    }
    return readFileSync(descriptor);
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw tlsError(name, `must be a readable file, got ${error.message}`, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Checks the certificates of a file. @returns the first one */
function firstOf(path: string, pem: Buffer): X509Certificate {
  const [first, ...issuers] = pem.toString("latin1").match(CERTIFICATE) ?? [];
  if (first === undefined) throw tlsError("tlsCert", `must have a certificate in PEM, got ${path}`);
  try {
    const [own] = [first, ...issuers].map((each) => new X509Certificate(each));
    return own as X509Certificate;
  } catch (cause) {
    throw tlsError("tlsCert", `must have valid certificates, got ${path}`, cause);
  }
}

function privateKeyOf(path: string, pem: Buffer): KeyObject {
  const text = pem.toString("latin1");
  if (ENCRYPTED.test(text)) {
    throw tlsError(
      "tlsKey",
      `must be a key without a passphrase, got an encrypted one: ${path}; to decrypt it: openssl pkey -in <encrypted> -out <decrypted>`,
    );
  }
  if (!KEY.test(text)) throw tlsError("tlsKey", `must be a private key in PEM, got ${path}`);
  try {
    return createPrivateKey(pem);
  } catch {
    // Without the cause, which might show what is in the file.
    throw tlsError("tlsKey", `must be a valid private key, got ${path}`);
  }
}

function tlsError(name: Name, broken: string, cause?: unknown): Error {
  const message = `${name} (${OPTIONS[name].env}) ${broken}`;
  return makeError("SIM_ERR_TLS", message, cause === undefined ? undefined : { cause });
}

/** Copies both files into memory. @returns nothing if the system cannot do that */
function memoryFilesOf(folder: string, cert: Buffer, key: Buffer): readonly MemoryFile[] {
  const copies: MemoryFile[] = [];
  for (const bytes of [cert, key]) {
    const copy = tryMemoryFile(folder, bytes);
    if (copy) copies.push(copy);
  }
  if (copies.length === 2) return copies;
  for (const { descriptor } of copies) closeSync(descriptor);
  return [];
}

function tryMemoryFile(folder: string, bytes: Buffer): MemoryFile | undefined {
  const name = join(folder, `simurgh-${randomUUID()}`);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(name, "wx+", MODE);
    unlinkSync(name);
    writeFileSync(descriptor, bytes);
    const path = `/proc/self/fd/${descriptor}`;
    if (readFileSync(path).equals(bytes)) return { path, descriptor };
  } catch {
    // Another system, or one without this folder: the engine reads the user's file.
  }
  if (descriptor !== undefined) closeSync(descriptor);
  return undefined;
}

function close(checked: Checked | undefined): void {
  for (const { descriptor } of checked?.copies ?? []) closeSync(descriptor);
}
