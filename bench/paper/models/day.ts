/** A day's load as the paper has it: low at night, an eighth of the peak (§6.2), and highest in the evening. */

/** The share of the peak at a time of day, from 0 (midnight) up to 1 (the next); 1/8 at five in the morning, 1 at five in the afternoon. */
export function loadAt(day: number): number {
  const height = (1 - Math.cos(2 * Math.PI * (day - 5 / 24))) / 2;
  return 1 / 8 + (7 / 8) * height;
}
