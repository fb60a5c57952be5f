import { Hono } from "hono";
import * as z from "zod";
import { epochSeconds } from "../platform/clock.ts";
import { answer, type HttpEnv, jsonBody, queryParams, refuse, requireScope } from "../platform/http.ts";
import { newId } from "../platform/ids.ts";
import { type PasskeyAnswer, passkeyAnswer } from "../platform/passkey-answer.ts";
import { problem } from "../protocol/problem.ts";
import { ok, type Result } from "../protocol/result.ts";
import { countLive } from "./live-token.ts";
import type { Receipt } from "./receipt.ts";
import { REVOCATION_STATES, type RevocationPage, type RevocationRecord } from "./record.ts";
import { type RevokeDeps, type Revoked, revoke, revokeSchema } from "./revoke.ts";
import type { Revocation } from "./rule.ts";
import type { RevocationSearch } from "./search.ts";

export type RevocationLogPort = RevokeDeps["log"] & {
  append(
    entry:
      | { id: string; kind: "revocation.added"; rule: Revocation }
      | { id: string; kind: "revocation.lifted"; revocation_id: string; actor: string; reason?: string },
  ): Promise<Result<Receipt>>;
  revocations(limit: number, cursor?: string, search?: RevocationSearch): Promise<Result<RevocationPage>>;
  confirm(id: string, actor: string, comment?: string): Promise<Result<Receipt>>;
  cancel(id: string, by: string, reason?: string): Promise<Result<RevocationRecord>>;
};

export type RevocationDeps = RevokeDeps & {
  log: RevocationLogPort;
  /** Whether the second person has confirmed as the policy wants it: with a passkey, where it says so. */
  confirmedBy(subject: string, id: string, passkey: PasskeyAnswer | undefined): Promise<Result<unknown>>;
};

const createQuery = z.strictObject({ dry_run: z.enum(["true", "false"]).exactOptional() });

const text = z.string().min(1).max(500);
const listSchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(100).exactOptional(),
  state: z.enum(REVOCATION_STATES).exactOptional(),
  q: text
    .exactOptional()
    .describe("Part of its id, of what it names, of a reason or of who gave it, in any case."),
});

const confirmSchema = z.strictObject({
  comment: text.exactOptional(),
  passkey: passkeyAnswer
    .exactOptional()
    .describe("An answer to a challenge for this confirmation, where the policy has `confirm_with_passkey`."),
});
const liftQuery = z.strictObject({ reason: text.exactOptional() });

/** `/v1/revocations`: count, add, confirm, list, read, lift. A 201 is given only after the log has the rule durably. */
export function revocationRoutes(deps: RevocationDeps) {
  const { log, clock } = deps;
  return new Hono<HttpEnv>()
    .post(
      "/v1/revocations",
      requireScope("revocations:write"),
      queryParams(createQuery),
      jsonBody(revokeSchema),
      async (c) => {
        const body = c.req.valid("json");
        if (c.req.valid("query").dry_run === "true") {
          const counted = await countLive(body.match, body.issued_before, deps.issuer, deps.live);
          return answer(c, counted.ok ? { ok: true, value: { dry_run: true, ...counted.value } } : counted);
        }
        const id = await deps.ids(c, "rev", body);
        if (!id.ok) return refuse(c, id.error);
        const revoked = await revoke(body, id.value, c.var.actor.subject, epochSeconds(clock()), deps);
        if (!revoked.ok) return refuse(c, revoked.error);
        const { value, status } = shown(revoked.value);
        return answer(c, { ok: true, value }, status, { location: `/v1/revocations/${id.value.id}` });
      },
    )
    .get("/v1/revocations", requireScope("revocations:read"), queryParams(listSchema), async (c) => {
      const { limit, cursor, ...search } = c.req.valid("query");
      const searches = Object.keys(search).length > 0;
      return answer(c, await log.revocations(limit, cursor, searches ? search : undefined));
    })
    .get("/v1/revocations/:id", requireScope("revocations:read"), async (c) =>
      answer(c, await withReceipt(c.req.param("id"), log)),
    )
    .post(
      "/v1/revocations/:id/confirm",
      requireScope("revocations:write"),
      jsonBody(confirmSchema),
      async (c) => {
        const { comment, passkey } = c.req.valid("json");
        const [id, { subject }] = [c.req.param("id"), c.var.actor];
        const confirmed = await deps.confirmedBy(subject, id, passkey);
        return answer(c, confirmed.ok ? await log.confirm(id, subject, comment) : confirmed);
      },
    )
    .delete("/v1/revocations/:id", requireScope("revocations:write"), queryParams(liftQuery), async (c) => {
      const { reason } = c.req.valid("query");
      const by = c.var.actor.subject;
      const record = await log.revocation(c.req.param("id"));
      if (!record.ok) return refuse(c, record.error);
      const { id: revocation_id, seq, state } = record.value;
      if (seq === undefined) return answer(c, await log.cancel(revocation_id, by, reason));
      if (state === "lifted") return refuse(c, problem("gone", "This revocation is lifted already."));
      const entry = { id: newId("log", clock()), kind: "revocation.lifted", revocation_id } as const;
      const why = reason === undefined ? {} : { reason };
      return answer(c, await log.append({ ...entry, actor: by, ...why }));
    });
}

/** The revocation with what acknowledged it; one that waits has none yet. */
async function withReceipt(id: string, log: RevocationLogPort): Promise<Result<RevocationRecord>> {
  const record = await log.revocation(id);
  if (!record.ok || record.value.seq === undefined) return record;
  const receipt = await log.revocationReceipt(id);
  if (receipt.ok) return ok({ ...record.value, receipt: receipt.value });
  return receipt.error.code === "not_found" ? record : receipt;
}

/** 201 and the receipt, or 202 and what a second person is asked to confirm. */
function shown(revoked: Revoked): { value: unknown; status: 201 | 202 } {
  if (revoked.kind === "in_force") return { value: revoked.receipt, status: 201 };
  const { id, state, confirmation } = revoked.record;
  return { value: { id, state, ...confirmation }, status: 202 };
}
