/**
 * The bundle that a page loads for the typed client, which must not contain server code.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

/** What a page imports, and how many bytes that may be. */
const BUNDLES = [
  ["Client", 2_400],
  ["Client, SseTransport", 7_600],
] as const;

describe("a page's bundle of simurgh/client", () => {
  for (const [names, mostBytes] of BUNDLES) {
    it(`contains only the client's files, and is small: ${names}`, async (test) => {
      const { metafile, outputFiles } = await build({
        stdin: {
          contents: `export { ${names} } from "simurgh/client";`,
          resolveDir: fileURLToPath(new URL(".", import.meta.url)),
        },
        bundle: true,
        minify: true,
        format: "esm",
        platform: "browser",
        write: false,
        metafile: true,
      });
      const inputs = Object.keys(metafile.inputs).filter((path) => path !== "<stdin>");
      assert.ok(inputs.length > 0);
      for (const path of inputs) assert.match(path, /(?:^|\/)src\/client\/[a-z-]+\.js$/);
      const bytes = outputFiles[0]?.contents ?? new Uint8Array();
      test.diagnostic(`${bytes.length} bytes, ${gzipSync(bytes).length} compressed`);
      assert.ok(bytes.length > 0 && bytes.length <= mostBytes, `${bytes.length} bytes`);
    });
  }
});
