import { execFileSync } from "node:child_process";
import type { Command } from "commander";
import { expect, it } from "vitest";
import { program } from "../../../src/cli/program.ts";
import { readDuration } from "../../../src/cli/times.ts";
import { curlText, portcullisText, revokeText, shellDuration } from "../../../src/console/shell-text.ts";

const TEXTS = ["plain", "it's", "'; exit 1; '", '$(id) `id` \\ " !', "a\nb", "'''", "", "-rf", "~", "#x"];

/** What a shell makes of a command's words. */
function words(command: string): string[] {
  const name = command.split(" ", 1)[0];
  const script = `${name}() { for w; do printf '%s\\0' "$w"; done; }\n${command}`;
  const out = execFileSync("sh", ["-c", script], { env: { ...process.env, TOKEN: "t" } });
  return out.toString().split("\0").slice(0, -1);
}

it.each(TEXTS)("a command is the same words to a shell, with %j in it", (text) => {
  const url = `https://gate.example/${text}`;
  expect(words(curlText("POST", url, { justification: text }))).toEqual([
    ...["-X", "POST", url, "-H", "Authorization: Bearer t"],
    ...["-H", "Content-Type: application/json", "--data", JSON.stringify({ justification: text })],
  ]);
  expect(
    words(portcullisText(["request", `x${text}`], { reason: text, ticket: undefined, wait: true })),
  ).toEqual(["request", `x${text}`, "--reason", text, "--wait"]);
});

it("quotes only what a shell would change, and breaks what is long", () => {
  expect(portcullisText(["token", "a/7"], { scope: "orders" })).toBe("portcullis token a/7 --scope orders");
  expect(
    portcullisText(["request", "orders"], { scope: "orders:read orders:write", reason: "a".repeat(40) }),
  ).toBe(
    `portcullis request orders \\\n  --scope 'orders:read orders:write' \\\n  --reason ${"a".repeat(40)}`,
  );
});

it.each([1, 59, 60, 600, 5_400, 86_400, 90_061])(
  "the command line reads %i seconds as they are written",
  (seconds) => {
    expect(readDuration(shellDuration(seconds))).toBe(seconds);
  },
);

it("names a revocation by the options of the command, or not at all", () => {
  const match = { sub: "corp|alice", iss: "https://login.example", jkt: "k", kid: "1", jti: "t" };
  expect(words(revokeText({ match, reason: "left, for good", issued_before: 1_795_325_180 })!)).toEqual([
    ...["revoke", "--subject", "corp|alice", "--from-issuer", "https://login.example", "--sender-key", "k"],
    ...["--key", "1", "--token", "t", "--issued-before", "1795325180", "--reason", "left, for good"],
  ]);
  const reason = "why";
  expect(revokeText({ match: { address: "192.0.2.1" }, reason })).toBeUndefined();
  expect(revokeText({ match, reason, emergency: true })).toBeUndefined();
  expect(revokeText({ match, reason, effect: { kind: "shrink_scope", scopes: ["x"] } })).toBeUndefined();
});

it.each([
  portcullisText(["request", "orders"], { scope: "a", for: "1h", reason: "why", ticket: "OPS-1" }),
  portcullisText(["requests", "show", "req_1"], { wait: true }),
  portcullisText(["token", "orders"], { scope: "a" }),
  portcullisText(["grants", "return", "grt_1"]),
  portcullisText(["grants", "revoke", "grt_1"], { reason: "why" }),
  portcullisText(["approve", "req_1"], { extension: "ext_1" }),
  portcullisText(["policy", "show"]),
  portcullisText(["policy", "diff", "policy.yaml"]),
  portcullisText(["policy", "apply", "policy.yaml"]),
  portcullisText(["policy", "rollback", "3"]),
  portcullisText(["explain", "GET", "https://x.example/"], { "token-from-env": "TOKEN" }),
  revokeText({
    match: { jti: "1", grant: "2", session: "3", sub: "4", client_id: "5", kid: "6", jkt: "7", iss: "8" },
    ...{ issued_before: 1_795_325_180, expires_at: 1_795_325_180, reason: "why" },
  })!,
])("the command line takes: %s", (command) => {
  const asked = words(command);
  const [argument] = asked
    .map((text, at) => (text.startsWith("--") ? at : asked.length))
    .toSorted((a, b) => a - b);
  const { depth, args, options } = parsed(asked);
  expect(args).toEqual(asked.slice(depth, argument));
  const flags = asked.filter((text) => text.startsWith("--"));
  expect(options).toEqual(
    flags.map((flag) => flag.slice(2).replaceAll(/-(.)/g, (_all, letter) => letter.toUpperCase())),
  );
});

/** What the command line itself makes of it, without doing it. */
function parsed(args: string[]): { args: string[]; options: string[]; depth: number } {
  const world = { streams: {}, environment: {}, signal: new AbortController().signal, exitWith: () => {} };
  const root = program(world as never, "0");
  let found: ReturnType<typeof parsed> | undefined;
  const watch = (command: Command, depth: number) => {
    command.action(() => {
      const given = Object.keys(command.opts()).filter(
        (name) => command.getOptionValueSource(name) === "cli",
      );
      found = { args: command.args, options: given, depth };
    });
    for (const inner of command.commands) watch(inner, depth + 1);
  };
  for (const command of root.commands) watch(command, 1);
  root.parse(args, { from: "user" });
  return found!;
}
