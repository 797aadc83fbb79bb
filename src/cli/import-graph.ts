/**
 * The files that an app module is made of: itself and what it imports, and what those do.
 *
 * They are found in the text, by the relative specifiers of `import`, `export … from`, `require` and
 * `new URL`. That is the same on every Node.js, asks nothing of the threads that load the app, finds
 * its tasks and the files that it reads as well, and knows of those that are still to be written.
 * What is in a comment is watched too, which does no harm; what is computed is not found, nor are
 * packages: SIGHUP is for these.
 *
 * Runs on: main.
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, extname, resolve, sep } from "node:path";

const SPECIFIER =
  /(?:\bfrom|\bimport|\bimport\s*\(|\brequire\s*\(|\bnew\s+URL\s*\()\s*(["'`])(\.{1,2}\/[^"'`\n]+)\1/g;
const MODULE_FILE = /\.[cm]?[jt]s$/;
const PACKAGES = `${sep}node_modules${sep}`;
/** Of a file that there is not. */
const MISSING = "";

/** By path: what tells one content from another. */
export type ImportGraph = ReadonlyMap<string, string>;

/**
 * Reads the files of an app.
 *
 * @param app - path of its module
 */
export function readImportGraph(app: string): ImportGraph {
  const graph = new Map<string, string>();
  const left = candidatesFor(app);
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (graph.has(file) || file.includes(PACKAGES)) continue;
    const content = contentOf(file);
    graph.set(file, content === undefined ? MISSING : hashOf(content));
    if (content !== undefined && MODULE_FILE.test(file)) left.push(...importsOf(file, content));
  }
  return graph;
}

/** Gives the files that came, went or changed from one graph to the next. */
export function changedFiles(before: ImportGraph, after: ImportGraph): string[] {
  const all = new Set([...before.keys(), ...after.keys()]);
  return [...all].filter((file) => (before.get(file) ?? MISSING) !== (after.get(file) ?? MISSING));
}

function importsOf(file: string, content: Buffer): string[] {
  const specifiers = content.toString("utf8").matchAll(SPECIFIER);
  return [...specifiers].flatMap(([, , specifier = ""]) =>
    candidatesFor(resolve(dirname(file), specifier.split(/[?#]/, 1)[0] as string)),
  );
}

/** Gives what a path may stand for: also the TypeScript behind JavaScript, and `require` adds .js. */
function candidatesFor(path: string): string[] {
  if (extname(path) === "") return [path, `${path}.js`, `${path}.json`];
  return /\.m?js$/.test(path) ? [path, path.replace(/js$/, "ts")] : [path];
}

function contentOf(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    // There is none, or it is a folder.
    return undefined;
  }
}

function hashOf(content: Buffer): string {
  return createHash("sha1").update(content).digest("base64");
}
