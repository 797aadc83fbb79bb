/**
 * An error on its way to another thread: a structured clone would lose its code.
 *
 * Runs on: any thread.
 */

/** What is left of an error on the way. */
export interface ErrorReport {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: unknown;
  readonly cause: ErrorReport | undefined;
}

/** Takes an error apart. */
export function reportOf(error: unknown, depth = 0): ErrorReport {
  if (!(error instanceof Error)) {
    return {
      name: "Error",
      message: shown(error),
      stack: undefined,
      code: undefined,
      cause: undefined,
    };
  }
  const { name, message, stack, cause } = error;
  const hasCause = cause !== undefined && depth < 5;
  return {
    name,
    message,
    stack,
    code: "code" in error && typeof error.code === "string" ? error.code : undefined,
    cause: hasCause ? reportOf(cause, depth + 1) : undefined,
  };
}

/** Puts an error together again. */
export function errorOf(report: ErrorReport): Error {
  const { name, message, stack, code, cause } = report;
  const error = cause ? new Error(message, { cause: errorOf(cause) }) : new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return code === undefined ? error : Object.assign(error, { code });
}

function shown(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return `something was thrown that cannot be shown (${typeof thrown})`;
  }
}
