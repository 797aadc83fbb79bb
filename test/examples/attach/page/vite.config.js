// The example leaves nothing in node_modules.
export default { cacheDir: ".vite" };
