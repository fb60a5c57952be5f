import { problem } from "../protocol/problem.ts";
import { err, ok, type Result } from "../protocol/result.ts";
import type { PortcullisService } from "../protocol/service.ts";

/** A token whose signature and claims are good: is it revoked? A problem where nobody can tell, which is no `false`. */
export type RevocationCheck<Bindings> = (token: VerifiedForm, bindings: Bindings) => Promise<Result<boolean>>;
export type VerifiedForm = Pick<Parameters<PortcullisService["isRevoked"]>[0], "claims" | "kid"> & {
  /** As it was sent. */
  token: string;
};

/** Asks the Worker `portcullis` of the same account: no more than two seconds late, or `strict`. */
export function byService<Bindings>(
  service: (bindings: Bindings) => Pick<PortcullisService, "isRevoked">,
  consistency: "bounded" | "strict" = "bounded",
): RevocationCheck<Bindings> {
  return ({ claims, kid }, bindings) => service(bindings).isRevoked({ claims, kid, consistency });
}

export type IntrospectionOptions = {
  issuer: string;
  /** A client whose `introspects` has the audience. */
  clientId: string;
  clientSecret: string;
  /** For how long "not revoked" is taken for granted. */
  maxStalenessMs?: number;
  timeoutMs?: number;
  fetch?: typeof fetch;
  clock?: () => number;
};

const MAX_REMEMBERED = 10_000;

/** Asks `POST /oauth/introspect` (RFC 7662) of any network. It knows Portcullis' own tokens only. */
export function byIntrospection(options: IntrospectionOptions): RevocationCheck<unknown> {
  const { issuer, clientId, clientSecret, maxStalenessMs = 2_000, timeoutMs = 3_000 } = options;
  const { fetch: send = fetch, clock = Date.now } = options;
  const authorization = `Basic ${btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`)}`;
  const activeUntilMs = new Map<string, number>();
  return async ({ token, claims }) => {
    if (claims.iss !== issuer) return err(unknown("Introspection knows the tokens of Portcullis only."));
    const askedAtMs = clock();
    if (askedAtMs < (activeUntilMs.get(token) ?? 0)) return ok(false);
    activeUntilMs.delete(token);
    const answer = await ask(send, issuer, authorization, token, timeoutMs);
    if (!answer.ok || answer.value) return answer;
    const [oldest] = activeUntilMs.keys();
    if (activeUntilMs.size >= MAX_REMEMBERED && oldest !== undefined) activeUntilMs.delete(oldest);
    activeUntilMs.set(token, askedAtMs + maxStalenessMs);
    return answer;
  };
}

async function ask(
  send: typeof fetch,
  issuer: string,
  authorization: string,
  token: string,
  timeoutMs: number,
): Promise<Result<boolean>> {
  try {
    const answer = await send(`${issuer}/oauth/introspect`, {
      method: "POST",
      headers: { authorization, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ token }).toString(),
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (answer.status !== 200) {
      await answer.body?.cancel();
      return err(unknown(`Introspection was answered with ${answer.status}.`));
    }
    const { active } = (await answer.json()) as { active?: unknown };
    return typeof active === "boolean" ? ok(!active) : err(unknown("The answer is no introspection."));
  } catch {
    return err(unknown("Introspection was not answered."));
  }
}

function unknown(detail: string) {
  return problem("unavailable", detail);
}
