import { Command } from "commander";
import { type Commands, examples, type World } from "./cli.ts";
import { accessCommands } from "./commands/access.ts";
import { auditCommands } from "./commands/audit.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { grantCommands } from "./commands/grants.ts";
import { initCommand } from "./commands/init.ts";
import { keyCommands } from "./commands/keys.ts";
import { policyCommands } from "./commands/policy.ts";
import { revocationCommands } from "./commands/revocations.ts";
import { runCommand } from "./commands/run.ts";
import { sessionCommands } from "./commands/sessions.ts";
import { watchCommand } from "./commands/watch.ts";
import { webhookCommands } from "./commands/webhooks.ts";

const GROUPS: readonly Commands[] = [
  sessionCommands,
  accessCommands,
  grantCommands,
  runCommand,
  revocationCommands,
  keyCommands,
  policyCommands,
  webhookCommands,
  auditCommands,
  watchCommand,
  doctorCommand,
  initCommand,
];

/** The whole command line. It never ends the process: what is wrong is thrown. */
export function program(world: World, version: string): Command {
  const portcullis = new Command("portcullis")
    .description("Ask for access, approve it, use it, and take it back.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print what there is")
    .option("--issuer <url>", "the deployment; else PORTCULLIS_ISSUER, else that of the last sign-in")
    .option("--json", "print results as JSON, for programs")
    .option("--no-color", "print without colours (also: NO_COLOR)")
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
  examples(portcullis, [
    ["login --issuer https://auth.example.com", "sign in"],
    ['request orders --scope orders:read --for 1h --reason "ticket 42"', "ask for access"],
    ["run --resource orders -- ./report.sh", "give a command a token for as long as it runs"],
    ["revoke --subject demo|mallory --reason left", "take everything back from somebody"],
  ]);
  for (const add of GROUPS) add(portcullis, world);
  return portcullis;
}
