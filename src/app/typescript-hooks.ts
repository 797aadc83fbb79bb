/**
 * Module hooks for TypeScript, for Node.js versions that run hooks on a separate thread.
 *
 * Runs on: the thread on which Node.js runs the module hooks of one shard.
 */

import type { LoadHook, ResolveHook } from "node:module";

import { stripModule, typeScriptBehind } from "./typescript.ts";

/** Resolves a module or, if it does not exist, the TypeScript file with the same name. */
export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  try {
    return await nextResolve(specifier, context);
  } catch (error) {
    return nextResolve(typeScriptBehind(specifier, error), context);
  }
};

/** Loads a module, stripping its types if Node.js cannot load it. */
export const load: LoadHook = async (url, context, nextLoad) => {
  try {
    return await nextLoad(url, context);
  } catch (error) {
    return stripModule(url, error);
  }
};
