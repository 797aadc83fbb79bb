/**
 * Runs on: the test's thread.
 * Slow: openssl makes many certificates.
 */
import assert from "node:assert/strict";
import { copyFileSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { Logger } from "../../src/log/logger.ts";
import { NO_FILE } from "../../src/options/options.ts";
import { Certificate } from "../../src/server/certificate.ts";
import { Certificates, noOpenssl, renew, type MadeCertificate } from "../support/certificates.ts";
import { APP_OPTIONS, nativeEngine } from "../support/engine.ts";

interface Line {
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

let made: Certificates;
let first: MadeCertificate;
let second: MadeCertificate;
let lines: Line[];
let opened: Certificate[] = [];

function load(tlsCert: string, tlsKey: string, memoryFolder?: string): Certificate {
  const certificate = Certificate.load(
    nativeEngine(),
    { tlsCert, tlsKey, ...APP_OPTIONS },
    memoryFolder,
  );
  assert.ok(certificate);
  opened.push(certificate);
  lines = [];
  const note = (fields: object, text: string): void =>
    void lines.push({ text, fields: fields as Line["fields"] });
  certificate.logTo(new Logger("debug", { debug: note, info: note, warn: note, error: note }));
  return certificate;
}

/** Returns a copy of a certificate's files, which a test may change. */
function copyOf(original: MadeCertificate, name: string): MadeCertificate {
  const copy = {
    cert: join(made.folder, `${name}.crt`),
    key: join(made.folder, `${name}.key`),
    pem: original.pem,
  };
  renew(copy, original);
  return copy;
}

/** Checks that two files are refused, and that the message does not contain the key. */
function refused(cert: string, key: string, message: RegExp): void {
  assert.throws(
    () => load(cert, key),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, "SIM_ERR_TLS");
      assert.match(error.message, message);
      assert.doesNotMatch(shownOf(error), /PRIVATE KEY|MIG|secret/);
      return true;
    },
  );
}

/** All that a log line or a terminal could show of an error. */
function shownOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = JSON.stringify(error, Object.getOwnPropertyNames(error));
  return `${own}${error.cause === undefined ? "" : shownOf(error.cause)}`;
}

function textsOf(): string[] {
  return lines.map(({ text }) => text);
}

describe("Certificate", { skip: noOpenssl }, () => {
  before(() => {
    made = new Certificates();
    first = made.make();
    second = made.make();
  });
  after(() => {
    for (const certificate of opened) certificate.close();
    opened = [];
    made.remove();
  });

  it("is undefined if the server has none", () => {
    const none = { tlsCert: NO_FILE, tlsKey: NO_FILE };
    assert.equal(Certificate.load(nativeEngine(), { ...none, ...APP_OPTIONS }), undefined);
  });

  it("gives the engine copies of both files that have no name", { skip: notLinux() }, () => {
    const names = memoryNames();
    const { files } = load(first.cert, first.key);
    assert.match(files.cert, /^\/proc\/self\/fd\/\d+$/);
    assert.deepEqual(readFileSync(files.cert), readFileSync(first.cert));
    assert.deepEqual(readFileSync(files.key), readFileSync(first.key));
    assert.deepEqual(memoryNames(), names);
  });

  it("gives the engine the user's files where the system has none in memory", () => {
    const files = copyOf(first, "direct");
    const certificate = load(files.cert, files.key, join(made.folder, "nowhere"));
    const { cert, key, digest } = certificate.files;
    assert.deepEqual([cert, key], [files.cert, files.key]);
    renew(files, second);
    certificate.reload();
    assert.equal(certificate.files.cert, files.cert);
    assert.notEqual(certificate.files.digest, digest);
  });

  it("loads what the engine supports: ECDSA, RSA, Ed25519, a chain, a symbolic link", () => {
    const kinds = [
      ["-newkey", "rsa:2048"],
      ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"],
      ["-newkey", "ed25519"],
    ];
    for (const key of kinds) {
      const one = made.make({ key });
      load(one.cert, one.key);
    }
    const chain = made.write("chain.crt", `Bag Attributes\n${first.pem}\n${second.pem}`);
    load(chain, first.key);
    const link = join(made.folder, "link.crt");
    symlinkSync(first.cert, link);
    load(link, first.key);
  });

  it("refuses files that are missing, or no files", () => {
    const nowhere = join(made.folder, "nowhere");
    refused(
      nowhere,
      first.key,
      /^tlsCert \(SIMURGH_TLS_CERT\) must be a readable file, got ENOENT/,
    );
    refused(first.cert, nowhere, /^tlsKey \(SIMURGH_TLS_KEY\) must be a readable file, got ENOENT/);
    refused(made.folder, first.key, /tlsCert .* must be a file of at most 1048576 \(bytes\), got/);
    refused("/dev/zero", first.key, /tlsCert .* must be a file of at most/);
    const large = made.write("large.crt", " ".repeat(1_048_577));
    refused(large, first.key, /tlsCert .* must be a file of at most/);
  });

  it("refuses files that are not in PEM, or only in part", () => {
    const empty = made.write("empty", "");
    refused(empty, first.key, /tlsCert .* must have a certificate in PEM, got/);
    refused(first.cert, empty, /tlsKey .* must be a private key in PEM, got/);
    refused(first.key, first.cert, /tlsCert .* must have a certificate in PEM, got/);
    const half = made.write("half.crt", first.pem.slice(0, first.pem.length / 2));
    refused(half, first.key, /tlsCert .* must have a certificate in PEM, got/);
    const broken = made.write("broken.crt", first.pem.replace(/\n.{20}/, "\n"));
    refused(broken, first.key, /tlsCert .* must have valid certificates, got/);
    const brokenIssuer = made.write("issuer.crt", first.pem + second.pem.replace(/\n.{20}/, "\n"));
    refused(brokenIssuer, first.key, /tlsCert .* must have valid certificates, got/);
    const key = readFileSync(first.key, "utf8");
    const brokenKey = made.write("broken.key", key.replace(/\n.{20}/, "\n"));
    refused(first.cert, brokenKey, /tlsKey .* must be a valid private key, got/);
  });

  it("refuses a key that is encrypted, and says how to decrypt it", () => {
    const encrypted = made.encryptKey(first);
    refused(first.cert, encrypted, /tlsKey .* without a passphrase, got .*: openssl pkey -in/);
  });

  it("refuses the key of another certificate, also if the server's is not the first", () => {
    refused(
      first.cert,
      second.key,
      /tlsKey .* must be the key of the first certificate of tlsCert/,
    );
    const reversed = made.write("reversed.crt", second.pem + first.pem);
    refused(reversed, first.key, /tlsKey .* must be the key of the first certificate of tlsCert/);
  });

  it("refuses a key of a kind that the engine does not support", () => {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"];
    const one = made.make({ key });
    refused(one.cert, one.key, /must be of a kind that the engine supports \(RSA, ECDSA/);
  });

  it("says until when it is valid, and warns if it is not at present", () => {
    load(first.cert, first.key);
    assert.deepEqual(textsOf(), ["certificate loaded"]);
    assert.equal(lines[0]?.fields["names"], "DNS:localhost, IP Address:127.0.0.1");
    const expired = made.make({ fromDays: -2, toDays: -1 });
    const future = made.make({ fromDays: 1, toDays: 2 });
    for (const { cert, key } of [expired, future]) {
      load(cert, key);
      const [loaded, warned] = textsOf();
      assert.equal(loaded, "certificate loaded");
      assert.match(warned ?? "", /^the certificate has expired or is not valid yet/);
    }
  });

  it("loads changed files again, and keeps those before open for threads that read them", () => {
    const files = copyOf(first, "renewed");
    const certificate = load(files.cert, files.key);
    const previous = certificate.files;
    certificate.reload();
    assert.equal(certificate.files, previous, "nothing has changed");
    renew(files, second);
    certificate.reload();
    assert.notEqual(certificate.files.digest, previous.digest);
    assert.deepEqual(readFileSync(certificate.files.cert), readFileSync(second.cert));
    assert.deepEqual(readFileSync(previous.cert), readFileSync(first.cert));
    assert.deepEqual(textsOf(), ["certificate loaded", "certificate loaded"]);
  });

  it("keeps those before if the new ones cannot be used, and logs it once", () => {
    const files = copyOf(first, "kept");
    const certificate = load(files.cert, files.key);
    const previous = certificate.files;
    copyFileSync(second.cert, files.cert);
    assert.throws(() => certificate.reload(), { code: "SIM_ERR_TLS" });
    assert.equal(certificate.files, previous);
    certificate.tryReload();
    certificate.tryReload();
    assert.equal(certificate.files, previous);
    const kept = "certificate not loaded: the previous one is kept (tlsCert, tlsKey)";
    assert.deepEqual(textsOf(), ["certificate loaded", kept]);
    assert.match(String(lines[1]?.fields["err"]), /must be the key of the first certificate/);
    writeFileSync(files.cert, "");
    certificate.tryReload();
    assert.deepEqual(textsOf().slice(1), [kept, kept], "the reason is another one");
    renew(files, second);
    certificate.tryReload();
    assert.notEqual(certificate.files.digest, previous.digest);
    writeFileSync(files.cert, "");
    certificate.tryReload();
    assert.equal(textsOf().at(-1), kept, "after a success, it is logged again");
  });
});

function memoryNames(): string[] {
  return readdirSync("/dev/shm").filter((name) => name.startsWith("simurgh-"));
}

function notLinux(): string | false {
  return process.platform === "linux" ? false : "files in memory need Linux";
}
