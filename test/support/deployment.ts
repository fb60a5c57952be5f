import { type Answer, type Call, call, complaint } from "../../src/local/http-call.ts";
import { TOKEN_EXCHANGE } from "../../src/local/set-up.ts";
import { notePolicyPut, OPERATOR_SECRET } from "./runtime.ts";

/** Credentials of an OAuth client of the gate. */
export type Client = { id: string; secret: string };

/** A client that acts for itself (its subject is its id), with its access token for the control plane. */
export type Person = Client & { token: string };

/** A webhook endpoint with the secret that its creation showed. */
export type Endpoint = { id: string; url: string; secret: string };

/** What acknowledges a change of authority. Times are epoch seconds with a fraction. */
export type Receipt = {
  id: string;
  seq: number;
  accepted_at: number;
  effective_by: { strict: number; bounded: number; eventual: number };
};

let made = 0;

/** A gate as its clients see it, and its operator. Everything goes over HTTP. */
export class Deployment {
  readonly issuer: string;
  /** The bootstrap operator's access token: every scope of the control plane. */
  readonly operator: string;

  private constructor(issuer: string, operator: string) {
    this.issuer = issuer;
    this.operator = operator;
  }

  static async at(issuer: string): Promise<Deployment> {
    return new Deployment(issuer, await clientToken(issuer, { id: "operator", secret: OPERATOR_SECRET }));
  }

  /** Sends one request to the gate; any status is an answer. */
  call(path: string, options: Call = {}): Promise<Answer> {
    return call(`${this.issuer}${path}`, options);
  }

  /** Posts a body as it stands, which need not be what it says that it is. */
  async postText(path: string, body: string, headers: Record<string, string>): Promise<Answer> {
    const response = await fetch(`${this.issuer}${path}`, { method: "POST", headers, body });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }

  /** `call` as the operator. */
  asOperator(path: string, options: Call = {}): Promise<Answer> {
    return this.call(path, { token: this.operator, ...options });
  }

  /** Puts a policy over whatever is in force, and has the gate learn of it without waiting for its bound. */
  async putPolicy(document: object): Promise<{ version: number; receipt: Receipt }> {
    const current = await this.asOperator("/v1/policy");
    const headers = { "if-match": current.headers.get("etag") ?? "" };
    const put = await this.asOperator("/v1/policy", { method: "PUT", json: document, headers });
    notePolicyPut();
    // It reads the log, and there is one isolate only.
    await this.call("/readyz");
    return bodyOf(put, 200);
  }

  async newPerson(roles: string[], scopes: string[]): Promise<Person> {
    const client = await this.newClient({ roles, scopes });
    return { ...client, token: await clientToken(this.issuer, client) };
  }

  async newClient(members: object): Promise<Client> {
    const answer = await this.asOperator("/v1/clients", { json: { name: `test ${++made}`, ...members } });
    const { client_id: id, client_secret: secret } = bodyOf<Record<string, string>>(answer, 201);
    return { id: id!, secret: secret! };
  }

  /** A client through which people's tokens are exchanged, with these scopes as the ceiling. */
  newExchangeClient(scopes: string[]): Promise<Client> {
    return this.newClient({ grant_types: [TOKEN_EXCHANGE], scopes });
  }

  /** Exchanges an identity provider's token (RFC 8693). */
  exchange(client: Client, subjectToken: string, more: Record<string, string> = {}): Promise<Answer> {
    const subject_token_type = "urn:ietf:params:oauth:token-type:access_token";
    const form = { grant_type: TOKEN_EXCHANGE, subject_token: subjectToken, subject_token_type, ...more };
    return this.call("/oauth/token", { client, form });
  }

  async newEndpoint(members: object): Promise<Endpoint> {
    const json = { events: ["*"], ...members };
    return bodyOf(await this.asOperator("/v1/webhook-endpoints", { json }), 201);
  }

  async revoke(match: Record<string, string>): Promise<Receipt> {
    return bodyOf(await this.asOperator("/v1/revocations", { json: { match, reason: "a test" } }), 201);
  }
}

/** A client's token for itself, or for an origin where `audience` names one. */
export async function clientToken(issuer: string, client: Client, audience?: string): Promise<string> {
  const form = { grant_type: "client_credentials", ...(audience === undefined ? {} : { audience }) };
  const answer = await call(`${issuer}/oauth/token`, { client, form });
  return bodyOf<{ access_token: string }>(answer, 200).access_token;
}

/** The body of an answer with this status; throws what it complained of where it has another one. */
export function bodyOf<T = Record<string, unknown>>(answer: Answer, status: number): T {
  if (answer.status === status) return answer.body as T;
  throw new Error(`expected status ${status}, but ${complaint(answer)}`);
}
