/**
 * The keywords of JSON Schema that look at one value, its fields or its items.
 *
 * Runs on: any thread. Each function returns a compiled keyword.
 */

import { kindOf } from "../../errors.ts";
import { canonical, isNested, isObject } from "./json-value.ts";
import {
  mapFields,
  mapItems,
  NOTHING,
  type Keyword,
  type SchemaNode,
  type Trace,
  type UnevaluatedKeyword,
} from "./schema-node.ts";

// -- one value -------------------------------------------------------------------------------------

/** Returns a keyword that a value must satisfy. @param must - completes `must be …` */
export function assertion(must: string, isMet: (value: unknown) => boolean): Keyword {
  return {
    matches: (value, _, trace) =>
      isMet(value) || (trace?.fails(`must ${must}, got ${kindOf(value)}`) ?? false),
  };
}

/** The types of JSON Schema. */
export const TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"];

/** `type`. */
export function ofType(types: readonly string[]): Keyword {
  const must = `be of type ${types.join(" or ")}`;
  const [only] = types;
  if (types.length === 1 && (only === "string" || only === "number" || only === "boolean")) {
    return assertion(must, (value) => typeof value === only);
  }
  const isInteger = types.includes("integer") && !types.includes("number");
  return assertion(must, (value) => {
    const type = kindOf(value);
    return types.includes(type) || (isInteger && Number.isInteger(value));
  });
}

/** `const` and `enum`. */
export function oneOf(values: readonly unknown[]): Keyword {
  const scalars = new Set(values.filter((value) => !isNested(value)));
  const nested = new Set(values.filter(isNested).map(canonical));
  return assertion("be a value that is allowed", (value) =>
    isNested(value) ? nested.size > 0 && nested.has(canonical(value)) : scalars.has(value),
  );
}

/** `multipleOf`, in decimals: 0.3 is a multiple of 0.1. */
export function multipleOf(factor: number): Keyword {
  const [digits, exponent] = decimalOf(factor);
  return assertion(`be a multiple of ${factor}`, (value) => {
    if (typeof value !== "number") return true;
    const [valueDigits, valueExponent] = decimalOf(value);
    const least = Math.min(exponent, valueExponent);
    const of = digits * 10n ** BigInt(exponent - least);
    return (valueDigits * 10n ** BigInt(valueExponent - least)) % of === 0n;
  });
}

/** `minLength` and `maxLength`, in code points. */
export function hasLength(isMet: (count: number) => boolean, must: string): Keyword {
  return assertion(must, (value) => {
    if (typeof value !== "string") return true;
    // A code point has one or two code units, and both keywords are limits on one side.
    const isMetByAll = isMet(value.length);
    return isMetByAll === isMet(Math.ceil(value.length / 2))
      ? isMetByAll
      : isMet(Array.from(value).length);
  });
}

/** Keywords that count the items of an array. */
export function hasItems(isMet: (count: number) => boolean, must: string): Keyword {
  return assertion(must, (value) => !Array.isArray(value) || isMet(value.length));
}

/** Keywords that count the fields of an object. */
export function hasFields(isMet: (count: number) => boolean, must: string): Keyword {
  return assertion(must, (value) => !isObject(value) || isMet(Object.keys(value).length));
}

/** `uniqueItems`. */
export function uniqueItems(): Keyword {
  return assertion(
    "have no equal items",
    (value) => !Array.isArray(value) || new Set(value.map(canonical)).size === value.length,
  );
}

/** `required`, and `dependentRequired` of one field. */
export function required(names: readonly string[], dependsOn?: string): Keyword {
  return {
    matches(value, _, trace) {
      if (!isObject(value)) return true;
      if (dependsOn !== undefined && !Object.hasOwn(value, dependsOn)) return true;
      const missing = names.find((name) => !Object.hasOwn(value, name));
      return missing === undefined || (trace?.fails(`must have the field ${missing}`) ?? false);
    },
  };
}

// -- fields ----------------------------------------------------------------------------------------

/** The schemas of an object's fields. */
export interface FieldNodes {
  readonly named: ReadonlyMap<string, SchemaNode>;
  readonly patterns: readonly (readonly [RegExp, SchemaNode])[];
  /** Schema of all other fields. Undefined: they may have any value. */
  readonly others: SchemaNode | undefined;
}

/** `properties`, `patternProperties` and `additionalProperties`. */
export function fields({ named, patterns, others }: FieldNodes): Keyword {
  const nodesOf = (name: string): readonly SchemaNode[] => {
    const own = named.get(name);
    const found = own ? [own] : [];
    for (const [pattern, node] of patterns) if (pattern.test(name)) found.push(node);
    if (found.length === 0 && others) found.push(others);
    return found;
  };
  return {
    evaluates: true,
    matches(value, seen, trace) {
      if (!isObject(value)) return true;
      for (const name of Object.keys(value)) {
        const nodes = nodesOf(name);
        for (const node of nodes) if (!matchesWithin(node, value[name], name, trace)) return false;
        if (nodes.length > 0) seen?.names.add(name);
      }
      return true;
    },
    strip: (value) =>
      isObject(value)
        ? mapFields(value, (field, name) => {
            const nodes = nodesOf(name);
            if (nodes.some(({ isNever }) => isNever)) return NOTHING;
            return nodes.reduce((kept, node) => node.strip(kept), field);
          })
        : value,
  };
}

/** `propertyNames`. */
export function propertyNames(node: SchemaNode): Keyword {
  return {
    matches: (value, _, trace) =>
      !isObject(value) ||
      Object.keys(value).every(
        (name) => node.matches(name) || (trace?.fails(`must not have the field ${name}`) ?? false),
      ),
    strip: (value) =>
      isObject(value)
        ? mapFields(value, (field, name) => (node.matches(name) ? field : NOTHING))
        : value,
  };
}

/** `unevaluatedProperties`. */
export function unevaluatedFields(node: SchemaNode): UnevaluatedKeyword {
  return {
    matches(value, seen, trace) {
      if (!isObject(value)) return true;
      for (const name of Object.keys(value)) {
        if (seen.names.has(name)) continue;
        if (!matchesWithin(node, value[name], name, trace)) return false;
        seen.names.add(name);
      }
      return true;
    },
    strip: (value, seen) =>
      isObject(value)
        ? mapFields(value, (field, name) => {
            if (seen.names.has(name)) return field;
            return node.isNever ? NOTHING : node.strip(field);
          })
        : value,
  };
}

// -- items -----------------------------------------------------------------------------------------

/** `prefixItems` and `items`, or their older forms: a list in `items`, and `additionalItems`. */
export function items(first: readonly SchemaNode[], others: SchemaNode | undefined): Keyword {
  return {
    evaluates: true,
    matches(value, seen, trace) {
      if (!Array.isArray(value)) return true;
      for (const [at, item] of value.entries()) {
        const node = first[at] ?? others;
        if (!node) break;
        if (!matchesWithin(node, item, at, trace)) return false;
        seen?.items.add(at);
      }
      return true;
    },
    strip: (value) =>
      Array.isArray(value)
        ? mapItems(value, (item, at) => (first[at] ?? others)?.strip(item) ?? item)
        : value,
  };
}

/** `contains`, `minContains` and `maxContains`. */
export function contains(node: SchemaNode, least: number, most: number): Keyword {
  return {
    evaluates: true,
    matches(value, seen, trace) {
      if (!Array.isArray(value)) return true;
      let count = 0;
      for (const [at, item] of value.entries()) {
        if (!node.matches(item)) continue;
        count += 1;
        seen?.items.add(at);
      }
      const isMet = count >= least && count <= most;
      return isMet || (trace?.fails("must contain the right number of certain items") ?? false);
    },
  };
}

/** `unevaluatedItems`. */
export function unevaluatedItems(node: SchemaNode): UnevaluatedKeyword {
  return {
    matches(value, seen, trace) {
      if (!Array.isArray(value)) return true;
      for (const [at, item] of value.entries()) {
        if (seen.items.has(at)) continue;
        if (!matchesWithin(node, item, at, trace)) return false;
        seen.items.add(at);
      }
      return true;
    },
    strip: (value, seen) =>
      Array.isArray(value)
        ? mapItems(value, (item, at) => (seen.items.has(at) ? item : node.strip(item)))
        : value,
  };
}

function matchesWithin(
  node: SchemaNode,
  value: unknown,
  part: string | number,
  trace: Trace | undefined,
): boolean {
  return node.matches(value, undefined, trace) || (trace?.within(part) ?? false);
}

/** Returns a number as an integer and a power of ten. */
function decimalOf(value: number): readonly [digits: bigint, exponent: number] {
  const [mantissa = "", exponent = "0"] = value.toExponential().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  return [BigInt(whole + fraction), Number(exponent) - fraction.length];
}
