/**
 * Loaded before every test file: draws the properties' cases from one seed, so that a red test is the doing of the
 * change it is red for and can be run again as it was. `CARTWHEEL_PROPERTY_SEED=random` (or a number) explores others.
 */

import fc from "fast-check";

const wanted: string = process.env.CARTWHEEL_PROPERTY_SEED ?? "1";
const seed: number = wanted === "random" ? Date.now() % 2 ** 31 : Number(wanted);
if (!Number.isInteger(seed)) {
  throw new Error(`CARTWHEEL_PROPERTY_SEED is "${wanted}", allowed are a whole number and "random"`);
}
fc.configureGlobal({ seed });
