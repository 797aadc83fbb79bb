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

const MOST_BYTES = 3_072;

describe("a page's bundle of simurgh/client", () => {
  it("contains only the client's files, and is small", async (test) => {
    const { metafile, outputFiles } = await build({
      stdin: {
        contents: 'export { Client } from "simurgh/client";',
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
    assert.ok(bytes.length > 0 && bytes.length <= MOST_BYTES, `${bytes.length} bytes`);
  });
});
