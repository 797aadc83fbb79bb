/**
 * Module hooks for TypeScript, in the form of a Node.js whose hooks have a thread of their own.
 *
 * Runs on: the thread on which Node.js runs one shard's module hooks.
 */

import type { LoadHook, ResolveHook } from "node:module";

import { stripModule, typeScriptBehind } from "./typescript.ts";

/** Finds a module, or the TypeScript behind one that is not there. */
export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  try {
    return await nextResolve(specifier, context);
  } catch (error) {
    return nextResolve(typeScriptBehind(specifier, error), context);
  }
};

/** Loads a module, and strips its types where nobody else can load it. */
export const load: LoadHook = async (url, context, nextLoad) => {
  try {
    return await nextLoad(url, context);
  } catch (error) {
    return stripModule(url, error);
  }
};
