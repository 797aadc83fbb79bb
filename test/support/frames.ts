/**
 * Text frames of the serializers 2.0.0 and 1.0.0, as written and read by a test client.
 *
 * Runs on: the main thread of the tests. Independent of `src/protocol`, so that it can verify it.
 */

/** Version of the serializer. */
export type Vsn = "1.0.0" | "2.0.0";

/** A message in either direction. */
export interface Message {
  readonly joinRef: unknown;
  readonly ref: unknown;
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
}

/** Encodes a message of the client. */
export function encode(vsn: Vsn, { joinRef, ref, topic, event, payload }: Message): string {
  if (vsn === "2.0.0") return JSON.stringify([joinRef, ref, topic, event, payload]);
  return JSON.stringify({ topic, event, payload, ref });
}

/** Decodes a message of the server. Version 1.0.0 has no joinRef. */
export function decode(vsn: Vsn, text: string): Message {
  const parsed: unknown = JSON.parse(text);
  if (vsn === "1.0.0") return { joinRef: undefined, ...(parsed as Omit<Message, "joinRef">) };
  const [joinRef, ref, topic, event, payload] = parsed as [
    unknown,
    unknown,
    string,
    string,
    unknown,
  ];
  return { joinRef, ref, topic, event, payload };
}
