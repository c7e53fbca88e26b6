/** What an option is, and how the usual ones are parsed: undefined where the text is not allowed. */

/** One option: `parse` answers undefined where the text is not allowed, and `allowed` says what is. */
export interface OptionOf<T> {
  /** What stands for the value in the help; absent for a switch. */
  readonly value?: string;
  readonly help: string;
  /** Shown in the help; who uses the option applies it. */
  readonly otherwise?: string;
  readonly allowed: string;
  parse(text: string): T | undefined;
}

/** A whole number of at most nine digits. */
export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number | undefined => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
    return value >= least && value <= most ? value : undefined;
  };
/** One of the words. */
export const oneOf =
  <Word extends string>(words: readonly Word[]) =>
  (text: string): Word | undefined =>
    words.find((word) => word === text);
/** Text of that shape, as it is. */
export const matching =
  (shape: RegExp) =>
  (text: string): string | undefined =>
    shape.test(text) ? text : undefined;
