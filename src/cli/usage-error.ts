/** A command line that cannot be obeyed: one line that says what is wrong and what is allowed, and exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "usage";
}

/** A command that was understood and failed: one line, and exit status 1. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  readonly code = "failed";
}

/** What `cartwheel` exits with. `notFound` and `siblings` let a script tell the outcomes of `get` apart. */
export const exitStatus: {
  readonly done: 0;
  readonly failed: 1;
  readonly usage: 2;
  readonly notFound: 3;
  readonly siblings: 4;
} = { done: 0, failed: 1, usage: 2, notFound: 3, siblings: 4 };
