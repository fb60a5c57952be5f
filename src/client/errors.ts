import type { ProblemCode } from "../protocol/problem.ts";

/** What all errors of the client are. None holds a token, a secret or a body that was sent. */
export class PortcullisError extends Error {
  override name = "PortcullisError";
}

type ProblemFields = {
  code: ProblemCode;
  status: number;
  title: string;
  detail: string;
  requestId?: string;
  retryAfterSeconds?: number;
  /** What else the problem says, as `faults` or `scope`. */
  members: Readonly<Record<string, unknown>>;
};

/** The deployment refused the call (RFC 9457). The set of codes is closed: switch over `code`. */
export class PortcullisProblem extends PortcullisError {
  override name = "PortcullisProblem";
  readonly code: ProblemCode;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** Names the request in the deployment's log. */
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(fields: ProblemFields) {
    super(`${fields.title}: ${fields.detail}`);
    this.code = fields.code;
    this.status = fields.status;
    this.title = fields.title;
    this.detail = fields.detail;
    this.requestId = fields.requestId;
    this.retryAfterSeconds = fields.retryAfterSeconds;
    this.members = fields.members;
  }
}

/** No access token was to be had: the token endpoint refused (RFC 6749 §5.2). */
export class PortcullisOAuthError extends PortcullisError {
  override name = "PortcullisOAuthError";
  /** As `invalid_client` or `invalid_grant`. */
  readonly error: string;
  readonly status: number;

  constructor(error: string, status: number, description: string) {
    super(`No access token: ${description || error}`);
    this.error = error;
    this.status = status;
  }
}

/** Nobody answered, in time or at all, or what answered is no Portcullis. */
export class PortcullisUnreachable extends PortcullisError {
  override name = "PortcullisUnreachable";
  /** The status where something answered. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** What a refusal says. A body that is no problem makes it {@link PortcullisUnreachable}. */
export async function refusalOf(response: Response): Promise<PortcullisError> {
  const { status } = response;
  const body = await readObject(response);
  const { type: _type, instance: _instance, code, title, detail, status: _status, ...members } = body ?? {};
  if (typeof code !== "string" || typeof title !== "string") {
    return new PortcullisUnreachable(`The answer (status ${status}) is not Portcullis's.`, status);
  }
  const requestId = response.headers.get("x-request-id");
  const retryAfter = retryAfterSeconds(response);
  return new PortcullisProblem({
    code: code as ProblemCode,
    status,
    title,
    detail: typeof detail === "string" ? detail : "",
    ...(requestId === null ? {} : { requestId }),
    ...(retryAfter === undefined ? {} : { retryAfterSeconds: retryAfter }),
    members,
  });
}

/** The JSON object of a body; undefined where it is none. */
export async function readObject(response: Response): Promise<Record<string, unknown> | undefined> {
  try {
    const body: unknown = await response.json();
    return typeof body === "object" && body !== null && !Array.isArray(body)
      ? (body as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** `Retry-After` in seconds (RFC 9110 §10.2.3); undefined where it is not there or a date. */
export function retryAfterSeconds({ headers }: Response): number | undefined {
  const value = headers.get("retry-after");
  return value !== null && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}
