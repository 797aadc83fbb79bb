/**
 * `simurgh serve` with a certificate.
 *
 * Runs on: the test's thread.
 * Slow: each test starts a process.
 */
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";

import { AppFile, chatApp } from "../support/app-file.ts";
import { Certificates, noOpenssl, renew, type MadeCertificate } from "../support/certificates.ts";
import { CommandLine } from "../support/command-line.ts";
import { within } from "../support/deadline.ts";
import { Talker } from "../support/talker.ts";

let app: AppFile;
let made: Certificates;
let first: MadeCertificate;
let second: MadeCertificate;
let files: MadeCertificate;

function serve(logLevel = "silent", { cert, key } = files): CommandLine {
  const args = ["--host", "127.0.0.1", "--port", "0", "--shards", "2", "--log-level", logLevel];
  const environment = { SIMURGH_TLS_CERT: cert, SIMURGH_TLS_KEY: key };
  return new CommandLine(["serve", app.path, ...args], environment);
}

async function join(port: number, name: string, { pem }: MadeCertificate): Promise<Talker> {
  return Talker.joinSecurely(port, "room:1", name, pem);
}

describe("simurgh with a certificate", { skip: noOpenssl }, () => {
  beforeEach(() => {
    app = new AppFile(chatApp(1));
    made = new Certificates();
    [first, second, files] = [made.make(), made.make(), made.make()];
    renew(files, first);
  });
  afterEach(() => {
    app.remove();
    made.remove();
  });

  it("prints addresses with https and wss, and logs until when it is valid", async () => {
    await using command = serve("info");
    const port = await command.port();
    const address = `address  https://127.0.0.1:${port}, wss://127.0.0.1:${port}\n`;
    assert.ok(command.out.includes(address), command.out);
    await command.logged('"scheme":"https"');
    await command.logged('"msg":"certificate loaded"');
    assert.match(command.err, /"validTo":"/);
  });

  it("shows a renewed certificate after SIGHUP, which tells its clients to reconnect", async () => {
    await using command = serve();
    const port = await command.port();
    const talkers = await Promise.all([join(port, "a", first), join(port, "b", first)]);
    renew(files, second);
    command.kill("SIGHUP");
    await command.printed(/all shards restarted/);
    const closed = Promise.all(talkers.map(async (talker) => talker.closed));
    assert.deepEqual(await within(closed, "the close of all clients"), [1012, 1012]);
    const back = [await join(port, "c", second), await join(port, "d", second)];
    back[0]?.say();
    await back[1]?.hears("c", 1);
    command.kill("SIGTERM");
    const { code, err } = await command.ended();
    assert.deepEqual({ code, err }, { code: 0, err: "" });
  });

  it("restarts with the certificate that it has if the new files do not match, and logs why", async () => {
    await using command = serve("error");
    const port = await command.port();
    copyFileSync(second.cert, files.cert);
    app.write(chatApp(2));
    command.kill("SIGHUP");
    await command.printed(/all shards restarted/);
    const { joined } = await join(port, "a", first);
    assert.equal(joined.version, 2, "the new app");
    const text = "certificate not loaded: the previous one is kept";
    await command.logged(text);
    assert.equal(command.err.split(text).length, 2, "one line");
    assert.doesNotMatch(command.err, /PRIVATE KEY/);
  });

  it("does not start with files that it cannot use, or with one of both, and says why", async () => {
    const encrypted = { ...files, key: made.encryptKey(files) };
    const wrong = [
      [{ ...files, key: second.key }, 1, /tlsKey .* must be the key of the first certificate/],
      [{ ...files, cert: "/nowhere.pem" }, 1, /tlsCert .* must be a readable file, got ENOENT/],
      [encrypted, 1, /tlsKey .* must be a key without a passphrase/],
      [{ ...files, key: "none" }, 2, /SIMURGH_TLS_CERT must be set together with tlsKey/],
      [{ ...files, cert: "none" }, 2, /SIMURGH_TLS_KEY must be set together with tlsCert/],
    ] as const;
    for (const [given, expected, message] of wrong) {
      await using command = serve("info", given);
      const { code, err } = await command.ended();
      assert.equal(code, expected, err);
      assert.match(err, message);
    }
  });
});
