import type { Command } from "commander";
import { stringify } from "yaml";
import { type Policy, type PolicyCheck, PortcullisProblem } from "../../client/portcullis.ts";
import { compilePolicy } from "../../policy/compiled.ts";
import { policySchema } from "../../policy/document.ts";
import { diffLines, hunkHead, hunksOf, MAX_CHANGED_LINES } from "../../policy/line-diff.ts";
import { schemaFaults } from "../../policy/schema-faults.ts";
import { act, type Cli, type Commands, examples, type World } from "../cli.ts";
import { CliFailure, EXIT, usageFault } from "../failure.ts";
import { readSourceFile, type SourceFile } from "../policy-file.ts";
import { decideTrial, mismatch, trialFileSchema } from "../policy-trial.ts";
import { MAX_PAGE, readWholeNumber, shownMoment } from "../times.ts";
import { importCommand } from "./policy-import.ts";
import { showReceipt } from "./receipt.ts";

/** `policy show|check|diff|apply|history|rollback|test|import`. */
export const policyCommands: Commands = (program, world) => {
  const policy = program.command("policy").description("Check, test, apply and roll back the policy.");
  examples(
    policy
      .command("show")
      .description("Print the policy that is in force, as YAML.")
      .option("--version-number <n>", "another version", readWholeNumber)
      .action(act(world, showPolicy)),
    [["policy show > policy.yaml", "begin with what is in force"]],
  );
  examples(
    policy
      .command("check <file>")
      .description("Check a policy against the deployment, and say what it would change. Nothing is changed.")
      .action(act(world, (cli: Cli, _options: object, file = "") => checkPolicy(cli, file))),
    [["policy check policy.yaml", "faults are told with line and column"]],
  );
  examples(
    policy
      .command("diff <file>")
      .description("Say what a policy would change, by its parts and line by line. Nothing is changed.")
      .action(act(world, (cli: Cli, _options: object, file = "") => checkPolicy(cli, file, true))),
    [["policy diff policy.yaml", "with the defaults that both sides have filled in"]],
  );
  examples(
    policy
      .command("apply <file>")
      .description("Put a policy into force, where nobody changed it meanwhile.")
      .option(
        "--if-version <n>",
        "only in place of this version (default: the one in force when the command starts)",
        readWholeNumber,
      )
      .action(act(world, applyPolicy)),
    [["policy apply policy.yaml", "put it into force"]],
  );
  policy
    .command("history")
    .description("List the versions of the policy, the newest first.")
    .option("--limit <n>", "at most so many", readWholeNumber, 20)
    .action(act(world, history));
  policy
    .command("rollback <version>")
    .description("Go back to a version of the policy.")
    .action(act(world, rollback));
  testCommand(policy, world);
  importCommand(policy, world);
};

async function showPolicy(cli: Cli, options: { versionNumber?: number }): Promise<void> {
  const client = await cli.client();
  const found =
    options.versionNumber === undefined
      ? await client.policy.get()
      : await client.policy.version(String(options.versionNumber));
  cli.terminal.result(found.document, () => cli.terminal.line(stringify(found.document).trimEnd()));
  cli.terminal.note(`version ${found.version}`);
}

/** What the deployment finds wrong, at its place in the file. */
async function inFile<T>(file: SourceFile, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (fault) {
    if (!(fault instanceof PortcullisProblem) || !Array.isArray(fault.members.faults)) throw fault;
    throw faulty(file, fault.members.faults.map(String));
  }
}

function faulty(file: SourceFile, faults: readonly string[]): CliFailure {
  const lines = faults.map((fault) => {
    const [, path = "", what = fault] = /^([^:\s]+): (.*)$/s.exec(fault) ?? [];
    return `\n  ${file.place(path)}: ${path === "" ? "" : `${path}: `}${what}`;
  });
  return new CliFailure(
    `The policy has ${faults.length === 1 ? "a fault" : `${faults.length} faults`}.${lines.join("")}`,
    EXIT.refused,
  );
}

async function checkPolicy(cli: Cli, path: string, isDiff = false): Promise<void> {
  const file = await readSourceFile(path, cli.streams.stdin);
  const client = await cli.client();
  const checked = await inFile(file, client.policy.check({ document: file.value as Policy }));
  const inForce = isDiff ? await client.policy.get() : undefined;
  cli.terminal.result(checked, () => {
    showChanges(cli, checked);
    if (inForce) showLines(cli, stringify(inForce.document), stringify(checked.document));
  });
  cli.terminal.next(`portcullis policy apply ${path}`, "Put it into force");
}

const COLORS = { "+": "green", "-": "red" } as const;

function showLines({ terminal }: Cli, before: string, after: string): void {
  const lines = diffLines(before, after);
  if (lines === undefined) {
    terminal.note(`More than ${MAX_CHANGED_LINES} lines differ: compare the files with a tool of yours.`);
    return;
  }
  for (const hunk of hunksOf(lines)) {
    terminal.line(hunkHead(hunk));
    for (const { mark, text } of hunk.lines) {
      const line = `${mark}${text}`;
      terminal.line(mark === " " ? line : terminal.style(COLORS[mark], line));
    }
  }
}

function showChanges({ terminal }: Cli, { changes, warnings, active_version }: PolicyCheck): void {
  terminal.line(`It is in order. Against version ${active_version}:`);
  const signs = [
    ["added", "+"],
    ["removed", "-"],
    ["changed", "~"],
  ] as const;
  const lines = Object.entries(changes).flatMap(([section, change]) => [
    ...signs.flatMap(([kind, sign]) => change[kind].map((name) => `  ${sign} ${section} ${name}`)),
    ...(change.reordered ? [`  ~ ${section}: in another order`] : []),
  ]);
  for (const line of lines.length > 0 ? lines : ["  nothing changes"]) terminal.line(line);
  for (const warning of warnings) terminal.say(`  ! ${warning}`);
}

async function applyPolicy(cli: Cli, { ifVersion }: { ifVersion?: number }, path = ""): Promise<void> {
  const file = await readSourceFile(path, cli.streams.stdin);
  const client = await cli.client();
  const ifMatch = ifVersion ?? (await client.policy.get()).version;
  const done = await inFile(file, client.policy.put(file.value as Policy, { ifMatch }));
  for (const warning of done.warnings ?? []) cli.terminal.note(`! ${warning}`);
  showReceipt(cli, done.receipt, `Version ${done.version} is in force.`, "in force");
  cli.terminal.next(`portcullis policy rollback ${ifMatch}`, "Go back");
}

async function history(cli: Cli, { limit }: { limit: number }): Promise<void> {
  const { items } = await (await cli.client()).policy.versions({ limit: Math.min(limit, MAX_PAGE) }).page();
  cli.terminal.result(items, () =>
    cli.terminal.table(
      items,
      [
        { title: "version", value: ({ version, active }) => `${version}${active ? " *" : ""}` },
        { title: "since", value: ({ created_at }) => shownMoment(created_at) },
        { title: "who", value: ({ created_by }) => created_by },
      ],
      "There are no versions yet.",
    ),
  );
}

async function rollback(cli: Cli, _options: object, version = ""): Promise<void> {
  if (!/^\d+$/.test(version))
    throw usageFault("Give the number of a version.", "portcullis policy history lists them.");
  const done = await (await cli.client()).policy.activate(version);
  showReceipt(
    cli,
    done.receipt,
    `Version ${done.version} is in force; it is the document of version ${version}.`,
    "in force",
  );
}

function testCommand(policy: Command, world: World): void {
  examples(
    policy
      .command("test <policy> <tests>")
      .description(
        "Decide sample requests by a policy, without a deployment, and compare with what is expected. For CI.",
      )
      .action(act(world, testPolicy)),
    [["policy test policy.yaml policy.test.yaml", "exit code 1 where a decision is not as expected"]],
  );
}

async function testPolicy(cli: Cli, _options: object, policyPath = "", testsPath = ""): Promise<void> {
  const { terminal } = cli;
  const file = await readSourceFile(policyPath, cli.streams.stdin);
  const parsed = policySchema.safeParse(file.value);
  if (!parsed.success) throw faulty(file, schemaFaults(parsed.error.issues));
  const tests = await readSourceFile(testsPath, cli.streams.stdin);
  const trials = trialFileSchema.safeParse(tests.value);
  if (!trials.success) {
    const lines = trials.error.issues.map(
      ({ path, message }) => `\n  ${tests.place(path.join("."))}: ${path.join(".")}: ${message}`,
    );
    throw usageFault(`The tests cannot be read.${lines.join("")}`);
  }
  const compiled = await compilePolicy({ version: 0, document: parsed.data } as never);
  const now = Math.floor(Date.now() / 1000);
  const results = trials.data.tests.map((trial) => {
    const decision = decideTrial(trial, compiled, now);
    const fault = mismatch(trial, decision);
    return {
      name: trial.name,
      passed: fault === undefined,
      ...decision,
      ...(fault === undefined ? {} : { fault }),
    };
  });
  terminal.result(results, () => {
    for (const { name, passed, fault } of results) {
      const mark = passed ? terminal.style("green", "✓") : terminal.style("red", "✗");
      terminal.line(`${mark} ${name}${fault === undefined ? "" : `: ${fault}`}`);
    }
  });
  const failed = results.filter(({ passed }) => !passed).length;
  terminal.note(`${results.length - failed} passed, ${failed} failed`);
  if (failed > 0) throw new CliFailure("The policy does not decide as expected.", EXIT.refused);
}
