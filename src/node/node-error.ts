/**
 * Why a node cannot start, or cannot go on:
 * - `bad-settings`: no cluster can be founded with the settings it was told;
 * - `refused`: its directory does not fit what it was told, or the cluster will not have it;
 * - `left`: it has handed over all that it held, and is no member any more, as its operator wanted;
 * - `removed`: it was taken for lost, and is no member any more;
 * - `superseded`: its directory was taken for lost, and another process has its place;
 * - `outdated`: its directory is an older copy of itself, or another process runs on a copy of it;
 * - `wrong-cluster`: the addresses it was given are another cluster's;
 * - `listen-failed`: it cannot have the address it was to listen on;
 * - `storage-failed`: its store failed for good; what is on disk is as it was acknowledged, and a restart may help;
 * - `storage-damaged`: its store cannot be read any more, and nobody knows how much of it;
 * - `stopped`: it was stopped while it started.
 */
export type NodeErrorCode =
  | "bad-settings"
  | "refused"
  | "left"
  | "removed"
  | "superseded"
  | "outdated"
  | "wrong-cluster"
  | "listen-failed"
  | "storage-failed"
  | "storage-damaged"
  | "stopped";

export class NodeError extends Error {
  override readonly name = "NodeError";
  readonly code: NodeErrorCode;

  constructor(code: NodeErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
