/**
 * The `cartwheel` command: finds which command is meant and with which options, runs it, and turns how it ended into
 * one line and an exit status. Options come from one table (`options.ts`), for flags, help, environment and file.
 */

import { Command, CommanderError } from "commander";
import { softwareVersion } from "../host/software.ts";
import { membersCommand, ringCommand, statusCommand } from "./cluster-commands.ts";
import { deleteCommand, getCommand, givenValue, putCommand, type Target } from "./data-commands.ts";
import { hintsCommand } from "./hints-command.ts";
import { historyCommand } from "./history-command.ts";
import { type MemberOptions, memberCommand } from "./member-commands.ts";
import type { OptionOf } from "./option-shapes.ts";
import { environmentSource, fileSource } from "./option-sources.ts";
import { type OptionName, type OptionSource, type OptionValues, options, readOptions } from "./options.ts";
import { planCommand } from "./plan-command.ts";
import { repairCommand } from "./repair-command.ts";
import { transfersCommand } from "./transfers-command.ts";
import { exitStatus, UsageError } from "./usage-error.ts";

type Values = Partial<OptionValues>;

type OptionHelp = Pick<OptionOf<unknown>, "help" | "otherwise">;

interface CommandLine {
  readonly name: string;
  readonly help: string;
  /** As commander writes them: `<word>` is needed, `[word]` is not. */
  readonly words: string;
  readonly options: readonly OptionName[];
  /** What its help says of options that mean something else to it than to others. */
  readonly told?: { readonly [Name in OptionName]?: OptionHelp };
  run(words: readonly (string | undefined)[], values: Values): Promise<number>;
}

const defaultUrl = "http://127.0.0.1:7480";

function targetOf(words: readonly (string | undefined)[], values: Values): Target {
  const [bucket = "", key = ""] = words;
  return { url: values.url ?? defaultUrl, bucket, key };
}

const view = (values: Values): { readonly url: string; readonly json: boolean } => ({
  url: values.url ?? defaultUrl,
  json: values.json ?? false,
});

function memberOptions(
  change: MemberOptions["change"],
  name: string | undefined,
  value: string | undefined,
  values: Values,
): MemberOptions {
  const { force = false, yes: isSure = false } = values;
  return { change, name: name ?? "", value, force, isSure, waits: values["no-wait"] !== true, ...view(values) };
}

/** Of requests; a node's own options are the cluster's. */
const ofBucket = {
  r: { help: "answers a read waits for", otherwise: "the bucket's" },
  w: { help: "answers a write waits for", otherwise: "the bucket's" },
} as const;

/** A node and all it stands on is loaded only by the commands that run one: the others should be quick. */
const commands: readonly CommandLine[] = [
  {
    name: "demo",
    help: "start a local cluster of real processes; Ctrl-C stops all",
    words: "",
    options: ["nodes", "zones", "data"],
    told: {
      zones: { help: "how many zones to spread them over", otherwise: "3" },
      data: { help: "keep the data there, and go on with what is there", otherwise: "one that is removed at the end" },
    },
    run: async (_, values) => (await import("./demo/demo.ts")).demoCommand(values),
  },
  {
    name: "start",
    help: "start one node",
    words: "",
    options: [
      ...([
        "name",
        "data",
        "listen",
        "http",
        "advertise",
        "join",
        "zone",
        "capacity",
        "storage",
        "transfer-rate",
      ] as const),
      ...(["config", "partitions", "n", "r", "w", "log", "insecure", "workers"] as const),
    ],
    run: async (_, values) => (await import("./start.ts")).startCommand(values),
  },
  {
    name: "get",
    help: `read a key (exit status ${exitStatus.notFound}: no live version, ${exitStatus.siblings}: siblings)`,
    words: "<bucket> <key>",
    options: ["r", "zones", "url", "json"],
    told: { r: ofBucket.r },
    run: (words, values) => getCommand(targetOf(words, values), values),
  },
  {
    name: "put",
    help: "write a key in place of what is there; VALUE may be - for stdin",
    words: "<bucket> <key> [value]",
    options: ["file", "context", "r", "w", "zones", "url", "json"],
    told: ofBucket,
    run: async (words, values) => putCommand(targetOf(words, values), await givenValue(words[2], values.file), values),
  },
  {
    name: "delete",
    help: "remove a key",
    words: "<bucket> <key>",
    options: ["context", "r", "w", "zones", "url", "json"],
    told: ofBucket,
    run: (words, values) => deleteCommand(targetOf(words, values), values),
  },
  {
    name: "status",
    help: "cluster, quorum and members, as one node sees them",
    words: "",
    options: ["url", "json"],
    run: (_, values) => statusCommand(view(values)),
  },
  {
    name: "members",
    help: "members, as one node sees them",
    words: "",
    options: ["url", "json"],
    run: (_, values) => membersCommand(view(values)),
  },
  {
    name: "ring",
    help: "every partition with its preference list",
    words: "",
    options: ["url", "json"],
    run: (_, values) => ringCommand(view(values)),
  },
  {
    name: "plan",
    help: "who would gain and lose how much by a change: join, leave or remove NAME, capacity NAME N, zone NAME ZONE",
    words: "<change> <name> [value]",
    options: ["zone", "capacity", "url", "json"],
    told: {
      zone: { help: "where the node that would join is" },
      capacity: { help: "its share, relative to the others'", otherwise: "1" },
    },
    run: ([change, name, value], { zone, capacity, ...values }) =>
      planCommand({ change: change ?? "", name: name ?? "", value, zone, capacity, ...view(values) }),
  },
  {
    name: "hints",
    help: "what a node keeps for members that it could not reach: for whom, how much, how old",
    words: "",
    options: ["url", "json"],
    run: (_, values) => hintsCommand(view(values)),
  },
  {
    name: "transfers",
    help: "the seats that move in the cluster: how far that is, how long it will take, and what it waits for",
    words: "",
    options: ["watch", "each", "url", "json"],
    run: (_, values) => transfersCommand({ ...view(values), watch: values.watch ?? false, each: values.each ?? false }),
  },
  {
    name: "history",
    help: "every change of the cluster: who accepted it, and when",
    words: "",
    options: ["url", "json"],
    run: (_, values) => historyCommand(view(values)),
  },
  {
    name: "leave",
    help: "have a member hand its data over, then leave",
    words: "<name>",
    options: ["yes", "force", "no-wait", "url", "json"],
    run: ([name], values) => memberCommand(memberOptions("leave", name, undefined, values)),
  },
  {
    name: "stay",
    help: "take a leave back: the member stays",
    words: "<name>",
    options: ["no-wait", "url", "json"],
    run: ([name], values) => memberCommand(memberOptions("stay", name, undefined, values)),
  },
  {
    name: "remove",
    help: "a member is lost: re-replicate without it",
    words: "<name>",
    options: ["yes", "force", "no-wait", "url", "json"],
    run: ([name], values) => memberCommand(memberOptions("remove", name, undefined, values)),
  },
  {
    name: "capacity",
    help: "give a member another share, relative to the others'",
    words: "<name> <weight>",
    options: ["yes", "no-wait", "url", "json"],
    run: ([name, weight], values) => memberCommand(memberOptions("capacity", name, weight, values)),
  },
  {
    name: "zone",
    help: "say that a member is in another zone",
    words: "<name> <zone>",
    options: ["yes", "no-wait", "url", "json"],
    run: ([name, zone], values) => memberCommand(memberOptions("zone", name, zone, values)),
  },
  {
    name: "repair",
    help: "compare a node's partitions with all their owners, repair what differs, and wait for the end",
    words: "",
    options: ["force", "url", "json"],
    run: (_, values) => repairCommand({ ...view(values), force: values.force ?? false }),
  },
  {
    name: "bench",
    help: "drive a cluster, or one of its own, with a load, and tell latencies and CPU time",
    words: "",
    options: [
      ...(["workload", "target", "compare", "nodes", "storage", "durability", "keys", "size", "seed"] as const),
      ...(["in-flight", "rate", "seconds", "warm-up", "data", "pids", "profile", "picture", "url", "json"] as const),
    ],
    told: {
      nodes: { help: "nodes of its own to start", otherwise: "3" },
      data: { help: "where its own nodes' data lives until it ends", otherwise: "the system's temporary directory" },
      url: { help: "HTTP interface of one of the running nodes, to tell CPU time and memory of all of them" },
    },
    run: async (_, values) => (await import("./bench-command.ts")).benchCommand(values),
  },
];

const otherPlaces =
  "Every option is also a variable (CARTWHEEL_DATA for --data) and a key of the JSON file that --config or\n" +
  "CARTWHEEL_CONFIG names. The command line goes before the environment, and that before the file.";

/** Runs a command line and answers the exit status. Throws what `report` turns into one line. */
async function run(argv: readonly string[]): Promise<number> {
  let status: number = exitStatus.done;
  const program = new Command("cartwheel")
    .description("A leaderless, always-writable, replicated key-value store")
    .version(softwareVersion)
    .showSuggestionAfterError(false)
    .configureOutput({ writeErr: () => {} })
    .exitOverride()
    .addHelpText("afterAll", `\n${otherPlaces}`);
  for (const line of commands) {
    define(program, line, async (words, flags) => {
      status = await line.run(words, readOptions(line.options, sources(flags)));
    });
  }
  await program.parseAsync(argv, { from: "user" });
  return status;
}

type Flags = Readonly<Record<string, string | boolean | undefined>>;

function define(
  program: Command,
  line: CommandLine,
  act: (words: readonly (string | undefined)[], flags: Flags) => Promise<void>,
): void {
  const command = program.command(`${line.name} ${line.words}`.trim()).description(line.help);
  command
    .showSuggestionAfterError(false)
    .configureOutput({ writeErr: () => {} })
    .exitOverride();
  for (const name of line.options) {
    const { value } = options[name];
    const { help, otherwise }: OptionHelp = line.told?.[name] ?? options[name];
    const flag = value === undefined ? `--${name}` : `--${name} <${value}>`;
    command.option(flag, otherwise === undefined ? help : `${help} (default ${otherwise})`);
  }
  command.action((...given: unknown[]) => act(given.slice(0, -2) as (string | undefined)[], command.opts()));
}

function sources(flags: Flags): readonly OptionSource[] {
  const commandLine: OptionSource = {
    label: (name) => `--${name}`,
    // The parser knows `--no-wait` as the contrary of `wait`, and `transfer-rate` as `transferRate`.
    text: (name) => {
      if (name === "no-wait") return flags["wait"] === false ? "true" : undefined;
      const flag = flags[name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())];
      return flag === undefined ? undefined : String(flag);
    },
  };
  const environment = environmentSource(process.env);
  const { config } = readOptions(["config"], [commandLine, environment]);
  return config === undefined ? [commandLine, environment] : [commandLine, environment, fileSource(config)];
}

/** Says in one line on stderr how the command failed, and answers the exit status. */
function report(error: unknown, argv: readonly string[]): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitStatus.done; // Help or version were asked for.
    const meant = argv.find((word) => !word.startsWith("-"));
    const line = commands.find(({ name }) => name === meant);
    const words = line === undefined || line.words === "" ? [] : [line.words];
    const known = line && [...words, ...line.options.map((name) => `--${name}`)].join(", ");
    const allowed = known ?? commands.map(({ name }) => name).join(", ");
    const said = error.message.replace(/^error: /, "").replace(/\s+/g, " ");
    complain(
      `${said === "(outputHelp)" ? "no command is given" : said}; ${line?.name ?? "cartwheel"} takes ${allowed}`,
    );
    return exitStatus.usage;
  }
  complain(error instanceof Error ? error.message : String(error));
  return error instanceof UsageError ? exitStatus.usage : exitStatus.failed;
}

function complain(text: string): void {
  process.stderr.write(`cartwheel: ${text}\n`);
}

async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  try {
    process.exitCode = await run(argv);
  } catch (error) {
    process.exitCode = report(error, argv);
  }
  // A node that was started by another process still has its pipe open, which would keep it from ending.
  if (process.connected) process.disconnect();
}

await main();
