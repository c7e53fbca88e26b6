/**
 * What a test's `skip` is where something it needs is missing: the reason. Where `SKIP_NOTHING` is set, as `.ci/run`
 * does, whoever misses something is told so by a failure and not by a green line.
 */
export function skipFor(whyNot: string | undefined): string | false {
  if (whyNot === undefined) return false;
  if (process.env["SKIP_NOTHING"] !== undefined) throw new Error(`${whyNot}, and nothing is to be skipped`);
  return whyNot;
}
