/** The app with which `transportCases` tests the transport. */
import { transportApp } from "simurgh/testing";
import { eventStream } from "./transport.ts";

export default transportApp({ transports: [eventStream("/socket")] });
