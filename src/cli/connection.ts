import { type Access, type TokenSource, tokenSource } from "../client/access-token.ts";
import { refusalOf } from "../client/errors.ts";
import { Portcullis } from "../client/portcullis.ts";
import { Sender } from "../client/sending.ts";
import { CliFailure, EXIT, usageFault } from "./failure.ts";
import { KeyringFile, type StoredSession } from "./keyring-file.ts";
import type { Environment } from "./terminal.ts";

/** The command line's client, which every deployment has. */
export const CLIENT_ID = "portcullis-cli";
const RENEW_AHEAD_SECONDS = 20;

const NOT_SIGNED_IN = "Nobody is signed in here.";
const HOW = "portcullis login --issuer https://auth.example.com";

/** With which deployment a command talks, and as whom. */
export class Connection {
  readonly keyring: KeyringFile;
  readonly #environment: Environment;
  readonly #issuer: string | undefined;
  readonly #sender = new Sender({});
  #tokens: TokenSource | undefined;

  constructor(environment: Environment, issuer: string | undefined) {
    this.#environment = environment;
    this.#issuer = issuer ?? (environment.PORTCULLIS_ISSUER || undefined);
    this.keyring = new KeyringFile(environment);
  }

  /** The deployment: the flag, the environment, or the one of the last sign-in. */
  async issuer(): Promise<string> {
    const named = this.#issuer ?? (await this.keyring.read()).current;
    if (named === undefined)
      throw new CliFailure(`${NOT_SIGNED_IN} Which deployment is not known either.`, EXIT.signedOut, HOW);
    if (!URL.canParse(named))
      throw usageFault(
        `"${named}" is not the address of a deployment.`,
        "It looks like https://auth.example.com.",
      );
    return new URL(named).origin;
  }

  async client(): Promise<Portcullis> {
    const issuer = await this.issuer();
    return new Portcullis({ issuer, ...this.#access(issuer) });
  }

  /** What the client has no method for: the answer of a path as it is, where it is 200. */
  get(path: string): Promise<Response> {
    return this.#send(path, { method: "GET" }, true);
  }

  /** The same of a call that may be repeated; `token`: another one than that of whoever is signed in. */
  call(path: string, init: { method: string; body?: string }, token?: string): Promise<Response> {
    return this.#send(path, init, false, token);
  }

  async #send(
    path: string,
    init: { method: string; body?: string },
    streamed: boolean,
    token?: string,
  ): Promise<Response> {
    const issuer = await this.issuer();
    this.#tokens ??= tokenSource(issuer, this.#access(issuer), this.#sender, undefined);
    const attempt = async () => {
      const authorization = `Bearer ${token ?? (await this.#tokens!.token())}`;
      const headers = {
        authorization,
        ...(init.body === undefined ? {} : { "content-type": "application/json" }),
      };
      return { url: `${issuer}${path}`, init: { ...init, headers } };
    };
    const answer = await this.#sender.send({ attempt, repeatable: true, streamed });
    if (answer.ok) return answer;
    throw await refusalOf(answer);
  }

  #access(issuer: string): Access {
    const {
      PORTCULLIS_TOKEN: token,
      PORTCULLIS_CLIENT_ID: clientId,
      PORTCULLIS_CLIENT_SECRET: clientSecret,
    } = this.#environment;
    if (token) return { token };
    if (clientId && clientSecret) return { credentials: { clientId, clientSecret } };
    if (clientId || clientSecret) {
      throw usageFault(
        "PORTCULLIS_CLIENT_ID and PORTCULLIS_CLIENT_SECRET go together; one of them is not set.",
      );
    }
    return { tokenProvider: (refused) => this.#sessionToken(issuer, refused) };
  }

  /** The access token of the stored session, renewed where it is about to end; the new one is kept before it is used. */
  async #sessionToken(issuer: string, refused: string | undefined): Promise<string> {
    const known = (await this.keyring.read()).sessions[issuer];
    if (!known) throw new CliFailure(NOT_SIGNED_IN, EXIT.signedOut, `portcullis login --issuer ${issuer}`);
    if (isGood(known, refused)) return known.access_token;
    const renewed = await this.keyring.change(
      issuer,
      async (session) =>
        // Another command may have renewed it while this one waited.
        session && (isGood(session, refused) ? session : await renew(issuer, session)),
    );
    if (renewed) return renewed.access_token;
    throw new CliFailure("The sign-in is over.", EXIT.signedOut, `portcullis login --issuer ${issuer}`);
  }
}

function isGood({ access_token, expires_at }: StoredSession, refused: string | undefined): boolean {
  return access_token !== refused && Date.now() / 1000 < expires_at - RENEW_AHEAD_SECONDS;
}

/** Undefined where the session is over: it is forgotten then. */
async function renew(issuer: string, session: StoredSession): Promise<StoredSession | undefined> {
  const form = { grant_type: "refresh_token", refresh_token: session.refresh_token, client_id: CLIENT_ID };
  const answer = await tokenCall(`${issuer}/oauth/token`, form);
  if (answer.status === 400) return undefined;
  if (answer.status !== 200)
    throw new CliFailure(
      `The token endpoint answered ${answer.status}.`,
      EXIT.unreachable,
      "Try again shortly.",
    );
  return { ...session, ...sessionOf(answer.body) };
}

/** What a token answer says of the session. */
export function sessionOf(body: Record<string, unknown>): Omit<StoredSession, "subject"> {
  const { access_token, refresh_token, expires_in } = body;
  return {
    access_token: String(access_token),
    refresh_token: String(refresh_token),
    expires_at: Math.floor(Date.now() / 1000) + Number(expires_in),
  };
}

export async function tokenCall(url: string, form: Record<string, string>) {
  try {
    const answer = await fetch(url, { method: "POST", body: new URLSearchParams(form), redirect: "error" });
    const body = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
    return { status: answer.status, body };
  } catch {
    throw new CliFailure(
      `${new URL(url).origin} does not answer.`,
      EXIT.unreachable,
      "Is the address right, and the deployment up?",
    );
  }
}
