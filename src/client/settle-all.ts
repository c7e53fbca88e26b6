/**
 * Does something for many, so many at a time, and tells of each what came of it, in their order. What is asked for in the
 * same turn leaves in the same frames, so this is all that a batch needs.
 */

export async function settleAll<A, R>(
  items: Iterable<A>,
  atOnce: number,
  task: (item: A) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const outcomes: PromiseSettledResult<R>[] = [];
  const source = items[Symbol.iterator]();
  let started = 0;
  const lane = async (): Promise<void> => {
    for (let next = source.next(); next.done !== true; next = source.next()) {
      const place = started++;
      try {
        outcomes[place] = { status: "fulfilled", value: await task(next.value) };
      } catch (reason) {
        outcomes[place] = { status: "rejected", reason };
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return outcomes;
}
