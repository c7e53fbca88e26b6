/** `import { startNode } from "cartwheel"`: a node embedded in your own process. */

export { defaultLimits, type Limits } from "../core/limits.ts";
export type { BucketChange, BucketSettings, ClusterSettings, Quorum } from "../core/settings.ts";
export type {
  BucketOutcome,
  BucketView,
  ClusterView,
  DeleteRequest,
  Failure,
  FailureCode,
  GetFound,
  GetOutcome,
  GetRequest,
  LocateView,
  MemberView,
  MetricSample,
  NodeApi,
  PutRequest,
  RepairRun,
  RepairView,
  RingView,
  Version,
  WriteOutcome,
  Written,
} from "../node/api.ts";
export type { Log, LogFields } from "../runtime/log.ts";
export { DataDirectoryError, type DataDirectoryErrorCode } from "./data-directory.ts";
export type { StorageName } from "./engines.ts";
export { letHeapGrow } from "./heap-growth.ts";
export { type LogLevel, type LogOptions, logLevels, stderrLog } from "./log.ts";
export { type RunningNode, type StartNodeOptions, startNode } from "./start-node.ts";
