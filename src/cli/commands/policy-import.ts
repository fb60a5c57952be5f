import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { importApiShield } from "../../importers/api-shield.ts";
import type { Imported, ImportOptions } from "../../importers/draft.ts";
import { importKong } from "../../importers/kong.ts";
import { importOathkeeper } from "../../importers/oathkeeper.ts";
import { importOauth2Proxy } from "../../importers/oauth2-proxy.ts";
import { readSource } from "../../importers/source.ts";
import type { Result } from "../../protocol/result.ts";
import { act, type Cli, examples, type World } from "../cli.ts";
import { usageFault } from "../failure.ts";
import { writeDocument } from "../policy-file.ts";

type Importer = (source: unknown, options: ImportOptions, config?: unknown) => Result<Imported, string[]>;

const IMPORTERS: Readonly<Record<string, Importer>> = {
  oathkeeper: importOathkeeper,
  "oauth2-proxy": importOauth2Proxy,
  kong: importKong,
  "api-shield": importApiShield,
};

type Options = { out?: string; config?: string; audience?: string; fromIssuer?: string; origin?: string };

/** `policy import <product> <file>`. */
export function importCommand(policy: Command, world: World): void {
  examples(
    policy
      .command("import <product> <file>")
      .description(
        `Make a policy of another product's configuration (${Object.keys(IMPORTERS).join(", ")}), and list what it does otherwise. Nothing is put into force.`,
      )
      .option("--out <file>", "write it there (default: print it)")
      .option("--config <file>", "Oathkeeper's own configuration, beside its rules")
      .option("--audience <audience>", "that tokens must name, where the source does not say")
      .option("--from-issuer <url>", "of the tokens, where the source does not say")
      .option("--origin <url>", "where requests go, where the source does not say")
      .action(act(world, importPolicy)),
    [["policy import kong kong.yaml --audience orders-api --out policy.yaml", "begin with what Kong does"]],
  );
}

async function importPolicy(cli: Cli, options: Options, product = "", path = ""): Promise<void> {
  const importer = Object.hasOwn(IMPORTERS, product) ? IMPORTERS[product] : undefined;
  if (!importer)
    throw usageFault(`"${product}" is not known.`, `Known are ${Object.keys(IMPORTERS).join(", ")}.`);
  const source = await read(path);
  const config = options.config === undefined ? undefined : await read(options.config);
  const { audience, fromIssuer, origin } = options;
  const given: ImportOptions = {
    ...(audience === undefined ? {} : { audience }),
    ...(fromIssuer === undefined ? {} : { issuer: fromIssuer }),
    ...(origin === undefined ? {} : { origin }),
  };
  const imported = importer(source, given, config);
  if (!imported.ok)
    throw usageFault(`${path} is no configuration of ${product}.\n  ${imported.error.join("\n  ")}`);
  const { policy, notes, faults } = imported.value;
  if (cli.terminal.json && options.out === undefined) return cli.terminal.result(imported.value, () => {});
  await writeDocument(cli.terminal, policy, options.out);
  const { terminal } = cli;
  terminal.note(
    `\n${policy.routes?.length ?? 0} routes, ${policy.issuers?.length ?? 0} issuers. ${notes.length} things to look at:`,
  );
  for (const { at, what, todo } of notes) terminal.note(`  ${at}: ${what} ${todo}`);
  for (const fault of faults) terminal.note(`  To mend before it can be applied: ${fault}`);
  if (options.out !== undefined) terminal.next(`portcullis policy check ${options.out}`, "Check it");
}

async function read(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    throw usageFault(`${path} cannot be read.`);
  }
  const source = readSource(text, path);
  if (!source.ok) throw usageFault(source.error);
  return source.value;
}
