/**
 * Certificates for a test, made by openssl in a folder that is removed with them. They sign themselves, so that a
 * client trusts one by passing it as `ca`.
 *
 * Runs on: the test's thread.
 */

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why no certificates can be made here, or false if they can. For `skip` of a test. */
export const noOpenssl: string | false =
  spawnSync("openssl", ["version"]).status === 0
    ? false
    : "openssl is missing; on Debian, apt-get install openssl";

const CONFIGURATION = `
[ca]
default_ca = own
[own]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = name
x509_extensions = extensions
[name]
commonName = supplied
[extensions]
subjectAltName = DNS:localhost, IP:127.0.0.1
basicConstraints = CA:TRUE
`;
const DAY_MS = 86_400_000;

/** How a certificate is made. */
export interface CertificateOptions {
  /** Arguments of `openssl req` that choose the kind of key. */
  readonly key?: readonly string[];
  /** The days from now at which it begins and ends to be valid. */
  readonly fromDays?: number;
  readonly toDays?: number;
}

/** A certificate and its key, as files. */
export interface MadeCertificate {
  readonly cert: string;
  readonly key: string;
  /** The certificate in PEM. */
  readonly pem: string;
}

/** The kind of key that is made fastest. */
const P256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

/** Makes certificates. */
export class Certificates {
  readonly folder = mkdtempSync(join(tmpdir(), "simurgh-tls-"));
  #count = 0;

  /** Makes one for `localhost` and 127.0.0.1. */
  make({ key = P256, fromDays = -1, toDays = 30 }: CertificateOptions = {}): MadeCertificate {
    this.#count += 1;
    const folder = join(this.folder, String(this.#count));
    mkdirSync(folder);
    writeFileSync(join(folder, "openssl.cnf"), CONFIGURATION);
    writeFileSync(join(folder, "index.txt"), "");
    writeFileSync(join(folder, "serial"), "01");
    const subject = `/CN=test ${this.#count}`;
    run(
      folder,
      ["req", "-new", ...key, "-nodes", "-keyout", "key.pem", "-out", "csr.pem"],
      subject,
    );
    const dates = ["-startdate", dateIn(fromDays), "-enddate", dateIn(toDays)];
    const signing = ["-batch", "-notext", "-config", "openssl.cnf", "-selfsign", ...dates];
    run(folder, ["ca", ...signing, "-keyfile", "key.pem", "-in", "csr.pem", "-out", "cert.pem"]);
    const cert = join(folder, "cert.pem");
    return { cert, key: join(folder, "key.pem"), pem: readFileSync(cert, "utf8") };
  }

  /** Copies a certificate's key to a file that is encrypted with a passphrase. @returns its path */
  encryptKey({ key }: MadeCertificate): string {
    const encrypted = `${key}.encrypted`;
    const cipher = ["-aes256", "-passout", "pass:secret"];
    run(this.folder, ["pkey", "-in", key, "-out", encrypted, ...cipher]);
    return encrypted;
  }

  /** Writes another file. @returns its path */
  write(name: string, content: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** Replaces the files of a certificate, as a renewal does. */
export function renew(files: MadeCertificate, by: MadeCertificate): void {
  copyFileSync(by.cert, files.cert);
  copyFileSync(by.key, files.key);
}

function run(cwd: string, args: readonly string[], subject?: string): void {
  const all = subject === undefined ? args : [...args, "-subj", subject];
  const { status, stderr } = spawnSync("openssl", all, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
}

/** Returns a date as openssl takes it. */
function dateIn(days: number): string {
  const iso = new Date(Date.now() + days * DAY_MS).toISOString();
  return `${iso.slice(0, 19).replaceAll(/[-:T]/g, "")}Z`;
}
