/** The app with which `transportCases` tests the transport. */
import { transportApp } from "simurgh/testing";
import { lines } from "./transport.ts";

export default transportApp({ transports: [lines(Number(process.env["LINES_PORT"]))] });
