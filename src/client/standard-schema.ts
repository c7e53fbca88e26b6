/**
 * The interface that validators share (Standard Schema, version 1): Zod, Valibot, ArkType and others are such schemas as
 * they are, and so none of them is needed here.
 */

export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** One line for people: what is wrong where. */
export function describeIssues(issues: readonly SchemaIssue[]): string {
  return issues
    .map(({ message, path = [] }) => {
      const where = path.map((step) => String(typeof step === "object" ? step.key : step)).join(".");
      return where === "" ? message : `${where}: ${message}`;
    })
    .join("; ");
}
