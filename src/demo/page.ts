/**
 * Routes that serve the demo's page and the unmodified official `phoenix` client.
 *
 * Runs on: shard. The files are read once, when the app module is loaded.
 */

import { readFileSync } from "node:fs";

import type { Route, ShardContext } from "../index.ts";

const PAGE = new URL("page/", import.meta.url);

const HEADERS = {
  "cache-control": "no-cache",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** The routes of the page. */
export const pageRoutes: Readonly<Record<string, Route<ShardContext>>> = {
  "GET /": fileRoute(new URL("index.html", PAGE), "text/html; charset=utf-8"),
  "GET /page.css": fileRoute(new URL("page.css", PAGE), "text/css; charset=utf-8"),
  "GET /page.js": fileRoute(new URL("page.js", PAGE), "text/javascript; charset=utf-8"),
  "GET /simurgh.svg": fileRoute(new URL("simurgh.svg", PAGE), "image/svg+xml"),
  "GET /phoenix.mjs": fileRoute(
    new URL(import.meta.resolve("phoenix")),
    "text/javascript; charset=utf-8",
  ),
};

function fileRoute(file: URL, contentType: string): Route<ShardContext> {
  const body = readFileSync(file);
  const headers = { ...HEADERS, "content-type": contentType };
  return () => ({ status: 200, headers, body });
}
