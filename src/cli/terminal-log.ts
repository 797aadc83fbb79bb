/**
 * Prints main's log lines in a terminal during development.
 *
 * Runs on: main.
 */

import { LOG_LINES } from "../log/logger.ts";
import type { LogSink } from "../log/sink.ts";
import { failureOf } from "./failure.ts";

/** Creates the log sink. */
export function terminalLog(say: (text: string) => void): LogSink {
  const line =
    (level: string) =>
    (fields: object, text: string): void => {
      // Hot reload reports this itself, with more details.
      if (text === LOG_LINES.shardNotRestarted.text) return;
      const { err, ...others } = fields as { readonly err?: unknown };
      const more = Object.keys(others).length > 0 ? ` ${JSON.stringify(others)}` : "";
      say(`${level}: ${text}${more}${err === undefined ? "" : `\n${failureOf(err).text}`}`);
    };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}
