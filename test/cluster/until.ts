/** Tries until the answer is not undefined, and says what it waited for when the time is up. */
export async function until<T>(withinMs: number, what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  const endsMs = performance.now() + withinMs;
  for (;;) {
    const found = await attempt();
    if (found !== undefined) return found;
    if (performance.now() > endsMs) throw new Error(`waited ${withinMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
