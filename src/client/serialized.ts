/**
 * What becomes of a value on its way to the other side.
 *
 * Runs on: nowhere; types only.
 */

/**
 * Type of a payload as the other side gets it: what JSON makes of it, and an ArrayBuffer of bytes,
 * which is what the official client sends and gets.
 */
export type Serialized<Value> = unknown extends Value
  ? Value
  : Value extends ArrayBuffer | ArrayBufferView
    ? ArrayBuffer
    : Value extends { toJSON(): infer Json }
      ? Serialized<Json>
      : Value extends (...given: never) => unknown
        ? never
        : Value extends object
          ? { [Key in keyof Value]: Serialized<Value[Key]> }
          : Value;
