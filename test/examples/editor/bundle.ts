import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** A file of the page. */
export interface PageFile {
  readonly type: string;
  readonly text: string;
}

/** Bundles the page's script with Yjs and the official `phoenix` client. */
export async function bundlePage(): Promise<Readonly<Record<string, PageFile>>> {
  const folder = new URL("page/", import.meta.url);
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("page.js", folder))],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  const html = readFileSync(new URL("index.html", folder), "utf8");
  return {
    "/": { type: "text/html; charset=utf-8", text: html },
    "/page.js": { type: "text/javascript; charset=utf-8", text: outputFiles[0]?.text ?? "" },
  };
}
