import { Token } from "simurgh/token";

/** Publishes from any process to the clients of all shards and nodes. */
export async function publish(
  server: string,
  secretKeyBase: string,
  message: { topic: string; event: string; payload: object },
): Promise<void> {
  const { ok, status } = await fetch(`${server}/publish`, {
    method: "POST",
    headers: { authorization: `Bearer ${Token.sign(secretKeyBase, "publish", {})}` },
    body: JSON.stringify(message),
  });
  if (!ok) throw new Error(`publish was answered with ${status}`);
}
