import { PortcullisUnreachable } from "../../client/portcullis.ts";
import { act, type Cli, type Commands, examples } from "../cli.ts";
import { CliFailure, EXIT } from "../failure.ts";
import { first } from "../first.ts";
import { shownDuration } from "../times.ts";

type Finding = { check: string; ok: boolean; detail: string; todo?: string };

const MAX_SKEW_SECONDS = 5;

/** `doctor`: looks at a deployment from outside, and says what is wrong and how to mend it. */
export const doctorCommand: Commands = (program, world) => {
  examples(
    program
      .command("doctor")
      .summary("look for what is wrong, and how to mend it")
      .description(
        "Look at a deployment from outside: whether it answers, its clock, keys, policy, replica, webhooks and your sign-in.",
      )
      .action(act(world, doctor)),
    [["doctor", "exit code 1 where something is wrong"]],
  );
};

async function doctor(cli: Cli): Promise<void> {
  const { terminal, connection } = cli;
  const issuer = await connection.issuer();
  const findings = [...(await reachability(issuer)), ...(await signIn(cli))];
  const signedIn = findings.some(({ check, ok }) => check === "sign-in" && ok);
  if (signedIn) findings.push(...(await webhooks(cli)));
  terminal.result(findings, () => {
    for (const { check, ok, detail, todo } of findings) {
      terminal.say(`${ok ? terminal.style("green", "✓") : terminal.style("red", "✗")} ${check}: ${detail}`);
      if (!ok && todo !== undefined) terminal.say(`    ${todo}`);
    }
  });
  const wrong = findings.filter(({ ok }) => !ok).length;
  if (wrong > 0) throw new CliFailure(`${wrong} of ${findings.length} checks found something.`, EXIT.refused);
}

async function reachability(issuer: string): Promise<Finding[]> {
  let answer: Response;
  try {
    answer = await fetch(`${issuer}/readyz`, { redirect: "error", signal: AbortSignal.timeout(10_000) });
  } catch {
    throw new CliFailure(
      `${issuer} does not answer.`,
      EXIT.unreachable,
      "Is the address right? Locally: npm start. Deployed: npx wrangler tail shows whether requests arrive.",
    );
  }
  const body = (await answer.json().catch(() => undefined)) as
    | { checks?: { name: string; ready: boolean; detail: string }[] }
    | undefined;
  if (!Array.isArray(body?.checks)) {
    throw new CliFailure(
      `What answers at ${issuer} (status ${answer.status}) is not Portcullis.`,
      EXIT.unreachable,
    );
  }
  const date = Date.parse(answer.headers.get("date") ?? "");
  return [
    { check: "reachable", ok: true, detail: issuer },
    ...(Number.isNaN(date) ? [] : [clockFinding(date)]),
    ...body.checks.map(({ name, ready, detail }) => ({
      check: name,
      ok: ready,
      detail,
      todo: WHAT_MENDS[name] ?? "See docs/operations.md.",
    })),
    await metadataFinding(issuer),
  ];
}

/** What mends each check of `readyz`. */
const WHAT_MENDS: Readonly<Record<string, string>> = {
  configuration: "Set what is missing: npx wrangler secret put <name>; locally npm start makes it.",
  policy: "Put a policy: portcullis policy apply policy.yaml",
  keys: "portcullis keys list shows them; portcullis keys rotate makes new ones.",
  rotation: "portcullis keys rotate",
  replica: "The log does not answer the edge: npx wrangler tail shows why.",
};

function clockFinding(dateMs: number): Finding {
  const skew = Math.abs(Date.now() - dateMs) / 1000;
  const detail = skew < 1.5 ? "this machine's agrees" : `this machine's is off by ${shownDuration(skew)}`;
  return {
    check: "clock",
    ok: skew <= MAX_SKEW_SECONDS,
    detail,
    todo: "Set this machine's clock by NTP: proofs and webhooks with a wrong time are refused.",
  };
}

async function metadataFinding(issuer: string): Promise<Finding> {
  const check = "metadata";
  try {
    const answer = await fetch(`${issuer}/.well-known/oauth-authorization-server`, { redirect: "error" });
    const { issuer: named } = (await answer.json()) as { issuer?: string };
    const todo = `Deploy with --var ISSUER:${issuer}, or use ${named}.`;
    return {
      check,
      ok: named === issuer,
      detail: named === issuer ? "names this address" : `names ${named}`,
      todo,
    };
  } catch {
    return {
      check,
      ok: false,
      detail: "cannot be read",
      todo: "Is something else in front that answers in its place?",
    };
  }
}

async function signIn(cli: Cli): Promise<Finding[]> {
  const check = "sign-in";
  const todo = "portcullis login";
  try {
    await (await cli.client()).sessions.list({ limit: 1 }).page();
    return [{ check, ok: true, detail: "good" }];
  } catch (fault) {
    if (fault instanceof PortcullisUnreachable) throw fault;
    return [{ check, ok: false, detail: fault instanceof Error ? fault.message : String(fault), todo }];
  }
}

async function webhooks(cli: Cli): Promise<Finding[]> {
  const client = await cli.client();
  try {
    const endpoints = await first(client.webhookEndpoints.list());
    return endpoints.map(({ id, enabled, disabled_reason }) => ({
      check: `webhook ${id}`,
      ok: enabled,
      detail: enabled ? "on" : `off${disabled_reason ? `: the receiver answered ${disabled_reason}` : ""}`,
      todo: `portcullis webhooks enable ${id}, or portcullis webhooks remove ${id}`,
    }));
  } catch {
    // Without the scope there is nothing to say of them.
    return [];
  }
}
