/**
 * Finds the copy of this package that an app imports, such as a project's own beside a global command.
 *
 * A server can only run an app that imports the server's own copy, so the command leaves the app to
 * the other copy's command.
 *
 * Runs on: main.
 */

import { readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const NAME = "simurgh";
const OWN_FOLDER = realpathSync(fileURLToPath(new URL("../../../", import.meta.url)));

/**
 * Returns the URL of the command in the copy that an app imports; undefined if it is this copy, or if
 * the app finds none.
 *
 * @param app - absolute path of the app module
 */
export function commandOfAppsCopy(app: string): URL | undefined {
  const file = packageFileFor(app);
  if (file === undefined || join(dirname(file), "/") === join(OWN_FOLDER, "/")) return undefined;
  const { bin } = JSON.parse(readFileSync(file, "utf8")) as { bin?: Record<string, string> };
  const command = bin?.[NAME];
  return command === undefined ? undefined : pathToFileURL(join(dirname(file), command));
}

function packageFileFor(app: string): string | undefined {
  try {
    return realpathSync(createRequire(app).resolve(`${NAME}/package.json`));
  } catch {
    return undefined;
  }
}
