/**
 * Log lines of main for the terminal of who develops an app, without what is said there anyway.
 *
 * Runs on: main.
 */

import { LOG_LINES, type LogSink } from "../log/logger.ts";
import { failureOf } from "./failure.ts";

/** Makes the sink. */
export function terminalLog(say: (text: string) => void): LogSink {
  const line =
    (level: string) =>
    (fields: object, text: string): void => {
      // Hot reload says it, with what the user can do about it.
      if (text === LOG_LINES.shardNotRestarted.text) return;
      const { err, ...others } = fields as { readonly err?: unknown };
      const more = Object.keys(others).length > 0 ? ` ${JSON.stringify(others)}` : "";
      say(`${level}: ${text}${more}${err === undefined ? "" : `\n${failureOf(err).text}`}`);
    };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}
