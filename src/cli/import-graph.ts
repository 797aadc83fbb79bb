/**
 * The files of an app: the app module and everything it imports, directly or indirectly.
 *
 * Imports are found in the source text, by the relative specifiers of `import`, `export … from`,
 * `require` and `new URL`. This works the same on every Node.js version, does not involve the
 * threads that load the app, and also finds task modules, files that the app reads, and files that
 * do not exist yet. Specifiers in comments are watched too, which is harmless. Computed specifiers
 * and packages are not found; use SIGHUP after changing those.
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
/** Hash of a file that does not exist. */
const MISSING = "";

/** Hashes of the files' contents, by path. */
export type ImportGraph = ReadonlyMap<string, string>;

/**
 * Reads the files of an app.
 *
 * @param app - path of the app module
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

/** Returns the files that were added, removed or changed between two graphs. */
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

/** Returns the files that a path can refer to: for example, a .js path can refer to a .ts file. */
function candidatesFor(path: string): string[] {
  if (extname(path) === "") return [path, `${path}.js`, `${path}.json`];
  return /\.m?js$/.test(path) ? [path, path.replace(/js$/, "ts")] : [path];
}

function contentOf(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    // The file does not exist or is a folder.
    return undefined;
  }
}

function hashOf(content: Buffer): string {
  return createHash("sha1").update(content).digest("base64");
}
