/**
 * fast-check's records, but always with the prototype of an object literal: by default some have none, and a strict
 * comparison with what the code built would fail once in many runs for that alone.
 */

import fc from "fast-check";

export function plainRecord<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}
