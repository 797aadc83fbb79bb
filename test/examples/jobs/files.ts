import { readFileSync } from "node:fs";

/** A file of the page, to be served by a framework. */
export interface PageFile {
  readonly path: string;
  readonly type: string;
  readonly text: string;
}

const PAGE = new URL("page/", import.meta.url);

/** Returns the files of the page, including the unchanged official `phoenix` client. */
export function pageFiles(socketPort: number): readonly PageFile[] {
  const html = read(new URL("index.html", PAGE));
  const phoenix = read(new URL(import.meta.resolve("phoenix")));
  return [
    { path: "/", type: "text/html", text: html.replace("{socketPort}", String(socketPort)) },
    { path: "/page.js", type: "text/javascript", text: read(new URL("page.js", PAGE)) },
    { path: "/phoenix.mjs", type: "text/javascript", text: phoenix },
  ];
}

function read(file: URL): string {
  return readFileSync(file, "utf8");
}
