/**
 * The few globals of the language's surroundings that the pure and acting folders may use. Everything else a machine
 * offers (timers, sockets, files, chance) reaches them through the ports in `runtime/`, so that the compiler refuses
 * a `setTimeout` or a `node:fs` there.
 */

declare class TextEncoder {
  encode(text: string): Uint8Array;
  encodeInto(text: string, into: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes: Uint8Array): string;
}

interface AbortSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
