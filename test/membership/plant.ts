/** Puts a bug in the place of a method; what it answers takes it out again. */
export function plant<T extends object, K extends keyof T>(of: T, name: K, bug: T[K]): () => void {
  const sound = of[name];
  of[name] = bug;
  return () => {
    of[name] = sound;
  };
}
