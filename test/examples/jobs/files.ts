import { readFileSync } from "node:fs";

/** A file of the page, as a framework answers with it. */
export interface PageFile {
  readonly path: string;
  readonly type: string;
  readonly text: string;
}

/** The page, and the official `phoenix` client, unchanged. */
export function pageFiles(socketPort: number): readonly PageFile[] {
  const html = read(new URL("page/index.html", import.meta.url));
  return [
    { path: "/", type: "text/html", text: html.replace("{socketPort}", String(socketPort)) },
    {
      path: "/page.js",
      type: "text/javascript",
      text: read(new URL("page/page.js", import.meta.url)),
    },
    {
      path: "/phoenix.mjs",
      type: "text/javascript",
      text: read(new URL(import.meta.resolve("phoenix"))),
    },
  ];
}

function read(file: URL): string {
  return readFileSync(file, "utf8");
}
