/**
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";

import { nativeModule } from "../../../../src/transport/engine/engine.ts";
import { createNativeApp } from "../../../../src/transport/engine/native/native-app.ts";
import type { NativeModule } from "../../../../src/transport/engine/native/uws-types.ts";
import { digestOf, type TlsFiles } from "../../../../src/transport/engine/tls-files.ts";
import {
  Certificates,
  noOpenssl,
  renew,
  type MadeCertificate,
} from "../../../support/certificates.ts";
import { noNative } from "../../../support/engine.ts";

const NO_NATIVE = await noNative();

let made: Certificates;
let first: MadeCertificate;
let second: MadeCertificate;

function checked({ cert, key }: MadeCertificate): TlsFiles {
  return { cert, key, digest: digestOf(readFileSync(cert), readFileSync(key)) };
}

describe(
  "an app with a certificate, of the native engine",
  { skip: NO_NATIVE || noOpenssl },
  () => {
    before(() => {
      made = new Certificates();
      first = made.make();
      second = made.make();
    });
    after(() => made.remove());

    it("is created, as one without", () => {
      createNativeApp(nativeModule(), {}).close();
      createNativeApp(nativeModule(), { tls: checked(first) }).close();
    });

    it("refuses files that have changed since they were checked, or while the engine reads them", () => {
      const files = made.make();
      const wanted = checked(files);
      const code = "SIM_ERR_TLS";
      let closed = 0;
      const module: NativeModule = {
        ...nativeModule(),
        SSLApp(options) {
          renew(files, second);
          const app = nativeModule().SSLApp(options);
          const close = app.close.bind(app);
          app.close = () => {
            closed += 1;
            return close();
          };
          return app;
        },
      };
      assert.throws(() => createNativeApp(module, { tls: wanted }), {
        code,
        message: /must not change/,
      });
      assert.equal(closed, 1);
      assert.throws(() => createNativeApp(nativeModule(), { tls: wanted }), {
        code,
        message: /must not change/,
      });
      const gone = { ...wanted, key: `${wanted.key}.gone` };
      assert.throws(() => createNativeApp(nativeModule(), { tls: gone }), {
        code,
        message: /must stay readable/,
      });
    });

    it("does not confuse a byte of the certificate with one of the key", () => {
      const [a, ab, bc, c] = ["a", "ab", "bc", "c"].map((text) => Buffer.from(text));
      assert.ok(a && ab && bc && c);
      assert.notEqual(digestOf(ab, c), digestOf(a, bc));
    });
  },
);
