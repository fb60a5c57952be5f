import type { DecisionTrace } from "../../client/portcullis.ts";
import { act, type Cli, type Commands, examples } from "../cli.ts";
import { usageFault } from "../failure.ts";

type Options = { header?: string[]; tokenFromEnv?: string; country?: string };

/** `explain <method> <url>`: what the gate would decide, and why. */
export const explainCommand: Commands = (program, world) => {
  examples(
    program
      .command("explain <method> <url>")
      .summary("say what the gate would do with a request, and why")
      .description(
        "Ask the gate's own engine what it would decide on a request. Nothing is forwarded, nothing is counted.",
      )
      .option("--token-from-env <name>", "the variable that holds the access token; never the token itself")
      .option("--header <name: value...>", "a header of the request")
      .option("--country <code>", "as if it came from there")
      .action(act(world, explain)),
    [["explain GET https://api.example.com/orders --token-from-env TOKEN", "why is it refused?"]],
  );
};

async function explain(
  cli: Cli,
  { header = [], tokenFromEnv, country }: Options,
  method = "",
  url = "",
): Promise<void> {
  const token = tokenFromEnv === undefined ? undefined : cli.environment[tokenFromEnv];
  if (tokenFromEnv !== undefined && !token) throw usageFault(`The variable ${tokenFromEnv} is not set.`);
  const headers = header.map((line) => {
    const [, name, value] = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined)
      throw usageFault(`"${line}" is no header.`, "It looks like 'accept: text/html'.");
    return [name, value] as const;
  });
  const trace = await (await cli.client()).decisions.explain({
    ...{ method: method.toUpperCase(), url },
    ...(headers.length > 0 ? { headers: Object.fromEntries(headers) } : {}),
    ...(token === undefined ? {} : { token }),
    ...(country === undefined ? {} : { cf: { country } }),
  });
  cli.terminal.result(trace, () => showTrace(cli, trace));
}

function showTrace(
  { terminal }: Cli,
  { outcome, reason, status, route, checks, remedies }: DecisionTrace,
): void {
  const verdict =
    outcome === "allow"
      ? terminal.style("green", "allowed")
      : terminal.style("red", `refused with ${status}`);
  terminal.line(`${verdict} (${reason})${route === undefined ? "" : `, route ${route}`}`);
  for (const { check, outcome: how, demand } of checks) {
    const mark = how === "passed" ? "✓" : how === "failed" ? "✗" : "·";
    terminal.line(`  ${mark} ${check}${demand ? `  ${JSON.stringify(demand)}` : ""}`);
  }
  for (const { kind, ...what } of remedies)
    terminal.line(`  → ${kind}${Object.keys(what).length > 0 ? `  ${JSON.stringify(what)}` : ""}`);
}
