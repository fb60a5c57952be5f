import { spawn } from "node:child_process";
import * as openid from "openid-client";
import { act, type Cli, type Commands, examples } from "../cli.ts";
import { CLIENT_ID, sessionOf, tokenCall } from "../connection.ts";
import { CliFailure, EXIT, usageFault } from "../failure.ts";
import { first } from "../first.ts";
import { shownDistance, shownMoment } from "../times.ts";

/** `login`, `logout`, `whoami`, `sessions`. */
export const sessionCommands: Commands = (program, world) => {
  examples(
    program
      .command("login")
      .summary("sign in")
      .description("Sign in at a deployment, in your browser or in one on another machine.")
      .option("--scope <scopes>", "fewer scopes than your roles bring, separated by spaces")
      .option("--no-browser", "only print the address")
      .action(act(world, login)),
    [
      ["login --issuer https://auth.example.com", "sign in at a deployment"],
      ["login --no-browser", "on a server: open the address elsewhere"],
    ],
  );
  program
    .command("logout")
    .summary("sign out")
    .description("End the session of this machine and forget it.")
    .action(act(world, logout));
  program
    .command("whoami")
    .summary("say who is signed in")
    .description("Say who is signed in, where, and what they may do.")
    .action(act(world, whoami));
  const sessions = program.command("sessions").description("See and end sessions.");
  sessions
    .command("list")
    .description("List sessions: your own, or all of them with the scope sessions:read.")
    .option("--subject <subject>", "of one person")
    .action(act(world, listSessions));
  examples(
    sessions
      .command("end <id>")
      .description("End a session and every token of it.")
      .requiredOption("--reason <text>", "why, for the record")
      .action(act(world, endSession)),
    [['sessions end ses_01jd… --reason "lost laptop"', "end one session"]],
  );
};

async function login(cli: Cli, { scope, browser }: { scope?: string; browser: boolean }): Promise<void> {
  const { terminal, connection, signal } = cli;
  const issuer = await connection.issuer();
  const config = await discover(issuer);
  let begun: openid.DeviceAuthorizationResponse;
  try {
    begun = await openid.initiateDeviceAuthorization(config, scope === undefined ? {} : { scope });
  } catch (fault) {
    throw loginFailure(fault);
  }
  const { verification_uri: uri, verification_uri_complete: complete, user_code: code } = begun;
  terminal.note(`Open ${terminal.style("bold", complete ?? uri)}`);
  terminal.note(`and compare the code: ${terminal.style("bold", code)}`);
  if (browser && terminal.interactive) openBrowser(complete ?? uri);
  terminal.progress("Waiting for you to confirm it in the browser …");
  try {
    const tokens = await openid.pollDeviceAuthorizationGrant(config, begun, undefined, { signal });
    const session = { ...sessionOf(tokens), subject: subjectOf(tokens.access_token) };
    await connection.keyring.change(issuer, async () => session, { makeCurrent: true });
    terminal.progressDone();
    const { subject } = session;
    terminal.result({ issuer, subject, scope: tokens.scope }, () =>
      terminal.line(`Signed in at ${issuer} as ${subject}.`),
    );
    terminal.next("portcullis request --help", "Ask for access");
  } catch (fault) {
    terminal.progressDone();
    throw loginFailure(fault);
  }
}

async function discover(issuer: string): Promise<openid.Configuration> {
  const loopback = new URL(issuer).protocol === "http:";
  try {
    return await openid.discovery(new URL(issuer), CLIENT_ID, undefined, openid.None(), {
      algorithm: "oauth2",
      ...(loopback ? { execute: [openid.allowInsecureRequests] } : {}),
    });
  } catch {
    throw new CliFailure(
      `${issuer} does not answer as a deployment of Portcullis.`,
      EXIT.unreachable,
      "Is the address right, and the deployment up?",
    );
  }
}

function loginFailure(fault: unknown): CliFailure {
  if (fault instanceof openid.ResponseBodyError) {
    const denied = fault.error === "access_denied" || fault.error === "expired_token";
    return new CliFailure(
      fault.error_description ?? fault.error,
      denied ? EXIT.refused : EXIT.signedOut,
      denied ? "portcullis login begins again." : undefined,
    );
  }
  if (fault instanceof Error && (fault.name === "AbortError" || fault.name === "TimeoutError")) {
    return new CliFailure("Nobody confirmed it.", EXIT.interrupted);
  }
  return new CliFailure(fault instanceof Error ? fault.message : String(fault), EXIT.unreachable);
}

/** Shown to the person, and nothing else: the deployment checks the token. */
function subjectOf(accessToken: string): string {
  const [, claims = ""] = accessToken.split(".");
  const read = JSON.parse(Buffer.from(claims, "base64url").toString()) as { sub?: unknown };
  return String(read.sub);
}

function openBrowser(url: string): void {
  const [command, ...args] =
    process.platform === "darwin"
      ? ["open"]
      : process.platform === "win32"
        ? ["cmd", "/c", "start", ""]
        : ["xdg-open"];
  const child = spawn(command!, [...args, url], { stdio: "ignore", detached: true });
  // Where there is none, the address stands on the screen.
  child.on("error", () => {});
  child.unref();
}

async function logout({ terminal, connection }: Cli): Promise<void> {
  const issuer = await connection.issuer();
  let told = true;
  const before = (await connection.keyring.read()).sessions[issuer];
  await connection.keyring.change(issuer, async (session) => {
    if (!session) return undefined;
    const form = { token: session.refresh_token, client_id: CLIENT_ID };
    told = await tokenCall(`${issuer}/oauth/revoke`, form).then(
      ({ status }) => status === 200,
      () => false,
    );
    return undefined;
  });
  terminal.result({ issuer, was_signed_in: before !== undefined, session_ended: told }, () =>
    terminal.line(before ? `Signed out at ${issuer}.` : `Nobody was signed in at ${issuer}.`),
  );
  if (!told)
    terminal.note("The deployment did not answer: the session there goes on until it is not used for long.");
}

async function whoami({ terminal, connection }: Cli): Promise<void> {
  const issuer = await connection.issuer();
  const client = await connection.client();
  const session = (await connection.keyring.read()).sessions[issuer];
  // One call that everybody may make, so that what is said is true now.
  await client.sessions.list({ limit: 1 }).page();
  const renewed = (await connection.keyring.read()).sessions[issuer] ?? session;
  const scope = renewed && scopeOf(renewed.access_token);
  terminal.result({ issuer, subject: renewed?.subject ?? null, scope: scope ?? null }, () =>
    terminal.fields({
      deployment: issuer,
      subject: renewed?.subject ?? "a client, by the environment",
      scopes: scope,
    }),
  );
}

function scopeOf(accessToken: string): string | undefined {
  const [, claims = ""] = accessToken.split(".");
  const { scope } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { scope?: unknown };
  return typeof scope === "string" ? scope : undefined;
}

async function listSessions(cli: Cli, { subject }: { subject?: string }): Promise<void> {
  const client = await cli.client();
  const items = await first(client.sessions.list(subject === undefined ? {} : { subject }));
  cli.terminal.result(items, () =>
    cli.terminal.table(
      items,
      [
        { title: "id", value: ({ id }) => id, whole: true },
        { title: "subject", value: (each) => each.subject },
        { title: "client", value: ({ client_id }) => client_id, below: true },
        { title: "state", value: ({ state }) => state, whole: true },
        { title: "last used", value: ({ refreshed_at }) => shownMoment(refreshed_at), below: true },
        { title: "ends", value: ({ absolute_end }) => shownDistance(absolute_end), whole: true },
      ],
      "There are no sessions.",
    ),
  );
}

async function endSession(cli: Cli, { reason }: { reason: string }, id?: string): Promise<void> {
  if (id === undefined) throw usageFault("Which session?");
  const receipt = await (await cli.client()).sessions.revoke(id, { reason });
  cli.terminal.result(receipt, () => cli.terminal.line(`${id} is over.`));
}
