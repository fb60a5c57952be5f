import { act, type Cli, type Commands, examples } from "../cli.ts";
import { CliFailure, EXIT } from "../failure.ts";
import { shownMoment } from "../times.ts";
import { showReceipt } from "./receipt.ts";

/** `keys list|rotate`. */
export const keyCommands: Commands = (program, world) => {
  const keys = program.command("keys").description("See and rotate signing keys.");
  keys.command("list").description("List the signing keys and their states.").action(act(world, listKeys));
  examples(
    keys
      .command("rotate")
      .description(
        "Rotate the signing keys as planned; or replace one that leaked, and deny all that it signed.",
      )
      .option("--compromised <kid>", "the key that leaked")
      .option("--reason <text>", "why, for the record")
      .option("--yes", "a compromised key: yes, everybody gets new tokens")
      .action(act(world, rotateKeys)),
    [
      ["keys rotate", "the next key signs as soon as verifiers know it"],
      ['keys rotate --compromised 8Zq… --reason "in a backup" --yes', "replace a leaked key now"],
    ],
  );
};

async function listKeys(cli: Cli): Promise<void> {
  const { items } = await (await cli.client()).keys.list();
  cli.terminal.result(items, () =>
    cli.terminal.table(
      items,
      [
        { title: "kid", value: ({ kid }) => kid, whole: true },
        { title: "purpose", value: ({ purpose }) => purpose, whole: true },
        { title: "alg", value: ({ alg }) => alg, below: true },
        { title: "state", value: ({ state }) => state, whole: true },
        { title: "signs from", value: ({ signs_from }) => shownMoment(signs_from), below: true },
        {
          title: "until",
          value: ({ signs_until, retires_at }) => shownMoment(signs_until ?? retires_at),
          below: true,
        },
      ],
      "There are no keys yet: the first is made when it is needed.",
    ),
  );
}

type RotateOptions = { compromised?: string; reason?: string; yes?: true };

async function rotateKeys(cli: Cli, { compromised, reason, yes }: RotateOptions): Promise<void> {
  if (compromised !== undefined && !yes) {
    const what = "Every token that this key signed is denied, and everybody who has one must get a new one.";
    throw new CliFailure(what, EXIT.usage, "Say --yes if that is meant.");
  }
  const client = await cli.client();
  const done = await client.keys.rotate({
    ...(compromised === undefined ? {} : { compromised_kid: compromised }),
    ...(reason === undefined ? {} : { reason }),
  });
  if ("effective_by" in done) {
    return showReceipt(cli, done, `${done.compromised_kid} is replaced${done.kid ? ` by ${done.kid}` : ""}.`);
  }
  cli.terminal.result(done, () => {
    for (const { purpose, kid, replaced_kid } of done.rotated)
      cli.terminal.say(`${purpose}: ${kid} signs now, instead of ${replaced_kid}.`);
    for (const { purpose, kid, signs_from } of done.scheduled) {
      cli.terminal.say(
        `${purpose}: ${kid} is published, and signs ${signs_from === undefined ? "once verifiers know it" : `from ${shownMoment(signs_from)}`}.`,
      );
    }
  });
}
