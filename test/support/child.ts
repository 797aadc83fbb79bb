/**
 * A server in a process of its own, for tests that would harm their own process.
 *
 * Runs on: the main thread of the tests.
 */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { within } from "./deadline.ts";

/** How a process ended. Either the code or the signal is null. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A server in a process of its own. */
export interface Child {
  readonly port: number;
  readonly process: ChildProcess;
  /** Waits for the process to exit. */
  readonly exited: (withinMs?: number) => Promise<Exit>;
  /** Everything that it has written so far. */
  readonly output: () => string;
  /** Waits until it has written something. */
  readonly said: (pattern: RegExp) => Promise<void>;
}

/**
 * Starts a main program of `test/apps` and waits until it reports its port.
 *
 * @param main - name of its file, without the extension
 * @param execArgv - flags for Node.js
 */
export async function startChild(
  main: string,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
  execArgv: readonly string[] = process.execArgv,
): Promise<Child> {
  const file = fileURLToPath(new URL(`../apps/${main}.js`, import.meta.url));
  const env = { ...process.env, ...environment };
  const child = fork(file, args, { env, execArgv: [...execArgv], silent: true });
  const chunks: Buffer[] = [];
  const output = (): string => Buffer.concat(chunks).toString();
  const exit: Promise<Exit> = once(child, "exit").then(([code, signal]) => ({ code, signal }));
  const serving = new Promise<number>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      chunks.push(chunk);
      const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(output())?.[1];
      if (port !== undefined) resolve(Number(port));
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    void exit.then(({ code }) => reject(new Error(`${main} ended with ${code}\n${output()}`)));
  });
  const port = await within(serving, `the port of ${main}`).catch((cause: unknown) => {
    // A process that starts too slowly would keep the test file running.
    child.kill("SIGKILL");
    throw new Error(`${String(cause)}\n${output()}`, { cause });
  });
  const exited = (withinMs = 30_000): Promise<Exit> =>
    within(exit, `the end of ${main}`, withinMs).catch((cause: unknown) => {
      child.kill("SIGKILL");
      throw new Error(`${String(cause)}\n${output()}`, { cause });
    });
  const said = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(output())) {
      const streams = [child.stdout, child.stderr];
      const more = Promise.race(streams.map((stream) => once(stream as never, "data")));
      await within(more, `${String(pattern)} in the output of ${main}`);
    }
  };
  return { port, process: child, exited, output, said };
}
