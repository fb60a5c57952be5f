import { constants } from "node:fs";
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ensureSecrets } from "../../local/secrets.ts";
import { act, type Cli, type Commands, examples } from "../cli.ts";
import { usageFault } from "../failure.ts";

type Options = { origin: string; provider: string; providerClient: string; jwksUri?: string; dir: string };

const SECRETS = "production.secrets";

/** `init`: the files of a new deployment, and the commands that put it into the world. */
export const initCommand: Commands = (program, world) => {
  examples(
    program
      .command("init")
      .summary("begin a new deployment")
      .description(
        "Write the files of a new deployment: its secrets, a first policy that guards one origin, and tests of it. Existing files are left alone.",
      )
      .requiredOption("--origin <url>", "the API to guard")
      .requiredOption("--provider <url>", "the OpenID provider whose people may sign in")
      .requiredOption("--provider-client <id>", "the id of this deployment's client there")
      .option("--jwks-uri <url>", "where the provider's keys are (default: as it says itself)")
      .option("--dir <folder>", "where the files go", ".")
      .action(act(world, init)),
    [
      [
        "init --issuer https://auth.example.com --origin https://orders.internal --provider https://idp.example.com --provider-client portcullis",
        "begin",
      ],
    ],
  );
};

async function init(cli: Cli, options: Options): Promise<void> {
  const { terminal, connection } = cli;
  const issuer = await connection.issuer();
  for (const [flag, url] of [
    ["--origin", options.origin],
    ["--provider", options.provider],
  ] as const) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw usageFault(`${flag}: "${url}" is not an http or https URL.`);
  }
  const jwksUri = options.jwksUri ?? (await discoveredKeys(options.provider));
  const secretsFile = join(options.dir, SECRETS);
  const { made } = await ensureSecrets(secretsFile);
  const files = {
    "policy.yaml": policyText(options, jwksUri),
    "policy.test.yaml": testsText(options),
  };
  const written = made ? [SECRETS] : [];
  for (const [name, text] of Object.entries(files)) {
    const path = join(options.dir, name);
    const exists = await access(path, constants.F_OK).then(
      () => true,
      () => false,
    );
    if (!exists) {
      await writeFile(path, text);
      written.push(name);
    }
  }
  const next = [
    "npx portcullis policy test policy.yaml policy.test.yaml",
    `npx wrangler deploy --secrets-file ${SECRETS} --domain ${new URL(issuer).host} --var ISSUER:${issuer}`,
    `set -a; . ./${SECRETS}; set +a`,
    `PORTCULLIS_CLIENT_ID=operator PORTCULLIS_CLIENT_SECRET=$PORTCULLIS_OPERATOR_SECRET npx portcullis policy apply policy.yaml --issuer ${issuer}`,
    `npx portcullis doctor --issuer ${issuer}`,
  ];
  terminal.result({ issuer, written, next }, () => {
    terminal.line(
      written.length > 0
        ? `Written: ${written.join(", ")}`
        : "Everything was there already; nothing was changed.",
    );
    terminal.line(`Register ${issuer}/session/callback/people at the provider as a redirect URI. Then:`);
    for (const command of next) terminal.line(`  ${command}`);
  });
  terminal.note(
    `Keep ${SECRETS} where you keep secrets; it is in .gitignore, and without it nothing that is stored can be read.`,
  );
}

/** `jwks_uri` of the provider's discovery document (OpenID Connect Discovery §4). */
async function discoveredKeys(provider: string): Promise<string> {
  const url = `${provider.replace(/\/$/, "")}/.well-known/openid-configuration`;
  try {
    const answer = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(10_000) });
    const { jwks_uri } = (await answer.json()) as { jwks_uri?: unknown };
    if (typeof jwks_uri === "string") return jwks_uri;
  } catch {
    // Told below, whatever it was.
  }
  throw usageFault(`${url} says nothing of keys.`, "Give --jwks-uri.");
}

function policyText({ origin, provider, providerClient }: Options, jwksUri: string): string {
  const { origin: originUrl } = new URL(origin);
  return `# The policy of this deployment: docs/policy.md. Check it with: portcullis policy check policy.yaml
issuers:
  - id: people
    issuer: ${provider}
    jwks_uri: ${jwksUri}
    algorithms: [RS256, ES256]
    audience: ${providerClient}
    token_types: [JWT, at+jwt]
    claims: { roles: roles, scopes: scope }
    sign_in: { client_id: ${providerClient} }

origins:
  api: { url: ${originUrl}, audience: ${originUrl} }

# What is not listed is refused.
routes:
  - { id: health, path: /health, methods: [GET], origin: api, access: public }
  - id: read
    path: /**
    methods: [GET, HEAD]
    origin: api
    access: { scopes: ["api:read"], resource: api }

# Who may ask for what, who approves it, and for how long.
access_rules:
  - id: read
    resource: api
    scopes: ["api:read"]
    requesters: { roles: [developer] }
    stages: [{ roles: [approver] }]
    origin: api
    max_duration_seconds: 3600

# What the roles of the provider's people bring here.
roles:
  developer: { scopes: ["requests:create", "requests:read"] }
  approver: { scopes: ["requests:read", "requests:read_all", "requests:review", "grants:read", "grants:revoke"] }
  operator:
    scopes:
      ["requests:read", "requests:read_all", "grants:read", "grants:revoke", "revocations:read", "revocations:write",
       "keys:rotate", "policy:read", "policy:write", "clients:write", "webhooks:read", "webhooks:write", "audit:read",
       "metrics:read", "sessions:read", "sessions:revoke"]

sessions: {}
`;
}

function testsText({ origin }: Options): string {
  const url = new URL(origin).origin;
  return `# What the policy must decide: portcullis policy test policy.yaml policy.test.yaml
tests:
  - name: anybody may see that it is up
    request: { url: ${url}/health }
    expect: { outcome: allow, reason: public }
  - name: nobody reads without a token
    request: { url: ${url}/orders }
    expect: { outcome: refuse, reason: credential_missing }
  - name: a grant opens what it was given for
    request: { url: ${url}/orders }
    token: { subject: people|alice, scope: api:read, resources: [api] }
    expect: { outcome: allow, route: read }
  - name: nobody writes
    request: { method: POST, url: ${url}/orders }
    token: { subject: people|alice, scope: api:read, resources: [api] }
    expect: { outcome: refuse, reason: method_not_allowed }
`;
}
