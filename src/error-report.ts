/**
 * Errors as plain data that can be sent to another thread. A structured clone would lose the code.
 *
 * Runs on: any thread.
 */

/** An error as plain data. */
export interface ErrorReport {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: unknown;
  readonly cause: ErrorReport | undefined;
}

/** Converts an error to plain data. */
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

/** Converts a report back to an error. */
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
