/** The app with which the suite for transports tests that of PostgreSQL. */
import { transportApp } from "../../src/testing/index.ts";
import { postgresTransport } from "../../src/postgres/index.ts";

export default transportApp({
  transports: [postgresTransport({ path: "/socket", outboxBytes: 1_000_000, leaseMs: 5_000 })],
});
