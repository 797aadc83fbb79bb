import { randomBytes, scryptSync, timingSafeEqual } from "node:crypto";
import { defineTasks } from "simurgh";

const KEY_BYTES = 32;
const SALT_BYTES = 16;

/** Each of these takes tens of milliseconds, too long for a shard. */
export default defineTasks({
  hash(password: string): string {
    const salt = randomBytes(SALT_BYTES);
    return `${salt.toString("hex")}:${scryptSync(password, salt, KEY_BYTES).toString("hex")}`;
  },

  verify({ password, hash }: { password: string; hash: string }): boolean {
    const [salt = "", key = ""] = hash.split(":").map((part) => Buffer.from(part, "hex"));
    return timingSafeEqual(scryptSync(password, salt, KEY_BYTES), Buffer.from(key));
  },
});
