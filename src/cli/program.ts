import tab from "@bomb.sh/tab/commander";
import { Command } from "commander";
import { type Commands, examples, type World } from "./cli.ts";
import { accessCommands } from "./commands/access.ts";
import { auditCommands } from "./commands/audit.ts";
import { backupCommands } from "./commands/backup.ts";
import { denylistCommands } from "./commands/denylist.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { explainCommand } from "./commands/explain.ts";
import { grantCommands } from "./commands/grants.ts";
import { initCommand } from "./commands/init.ts";
import { keyCommands } from "./commands/keys.ts";
import { policyCommands } from "./commands/policy.ts";
import { revocationCommands } from "./commands/revocations.ts";
import { runCommand } from "./commands/run.ts";
import { sessionCommands } from "./commands/sessions.ts";
import { webhookCommands } from "./commands/webhooks.ts";

const GROUPS: readonly Commands[] = [
  sessionCommands,
  accessCommands,
  grantCommands,
  runCommand,
  revocationCommands,
  denylistCommands,
  keyCommands,
  policyCommands,
  webhookCommands,
  auditCommands,
  backupCommands,
  explainCommand,
  doctorCommand,
  initCommand,
];

const GLOBAL_OPTIONS = [
  ["--issuer <url>", "the deployment; else PORTCULLIS_ISSUER, else that of the last sign-in"],
  ["--json", "print results as JSON, for programs"],
  ["--no-color", "print without colours (also: NO_COLOR)"],
] as const;

/** The whole command line. It never ends the process: what is wrong is thrown. */
export function program(world: World, version: string): Command {
  const portcullis = new Command("portcullis")
    .description("Ask for access, approve it, use it, and take it back.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print what there is")
    .showHelpAfterError("(portcullis --help says what there is)")
    .showSuggestionAfterError(true)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void world.streams.stdout.write(text),
      writeErr: (text) => void world.streams.stderr.write(text),
      getOutHelpWidth: () => world.streams.stdout.columns ?? 80,
      getErrHelpWidth: () => 80,
    });
  for (const [flag, what] of GLOBAL_OPTIONS) portcullis.option(flag, what);
  examples(portcullis, [
    ["login --issuer https://auth.example.com", "sign in"],
    ['request orders --scope orders:read --for 1h --reason "ticket 42"', "ask for access"],
    ["run --resource orders -- ./report.sh", "give a command a token for as long as it runs"],
    ["revoke --subject demo|mallory --reason left", "take everything back from somebody"],
  ]);
  for (const add of GROUPS) add(portcullis, world);
  for (const command of portcullis.commands) takeGlobalOptions(command);
  tab(portcullis);
  return portcullis;
}

/** They may stand before the command or after it. */
function takeGlobalOptions(command: Command): void {
  for (const [flag, what] of GLOBAL_OPTIONS) command.option(flag, what);
  for (const inner of command.commands) takeGlobalOptions(inner);
}
