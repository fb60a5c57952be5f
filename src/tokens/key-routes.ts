import { Hono } from "hono";
import * as z from "zod";
import { answer, type HttpEnv, jsonBody, refuse, requireScope } from "../platform/http.ts";
import type { CreationIds } from "../platform/idempotency.ts";
import { ok, type Result } from "../protocol/result.ts";
import type { Replacement } from "./key-lifecycle.ts";
import type { KeyInfo, KeyReplacement, PlannedRotation } from "./key-view.ts";

export type KeyRotationPort = {
  keys(): Promise<Result<KeyInfo[]>>;
  rotate(id: string): Promise<Result<PlannedRotation>>;
  replaceKey(replacement: Replacement): Promise<Result<KeyReplacement>>;
};

export type KeyRouteDeps = { keyring: KeyRotationPort; ids: CreationIds };

const rotateSchema = z
  .strictObject({
    compromised_kid: z
      .string()
      .min(1)
      .max(256)
      .exactOptional()
      .describe("Replaced at once, and all that it signed is denied. Absent: a planned rotation."),
    reason: z.string().min(1).max(500).exactOptional(),
  })
  .refine((body) => body.reason === undefined || body.compromised_kid !== undefined, {
    path: ["reason"],
    message: "belongs to compromised_kid: a planned rotation revokes nothing",
  });

/** `/v1/keys`: all keys with their state, and their rotation, planned or in an emergency. */
export function keyRoutes({ keyring, ids }: KeyRouteDeps) {
  const scope = requireScope("keys:rotate");
  return new Hono<HttpEnv>()
    .get("/v1/keys", scope, async (c) => {
      const keys = await keyring.keys();
      return answer(c, keys.ok ? ok({ items: keys.value }) : keys);
    })
    .post("/v1/keys/rotate", scope, jsonBody(rotateSchema), async (c) => {
      const body = c.req.valid("json");
      const { compromised_kid: kid, reason = "the signing key is compromised" } = body;
      const id = await ids(c, kid === undefined ? "rot" : "rev", body);
      if (!id.ok) return refuse(c, id.error);
      if (kid === undefined) return answer(c, await keyring.rotate(id.value.id));
      const actor = c.var.actor.subject;
      const replaced = await keyring.replaceKey({ id: id.value.id, kid, actor, reason });
      if (!replaced.ok) return refuse(c, replaced.error);
      const { receipt, ...keys } = replaced.value;
      return answer(c, ok({ ...receipt, ...keys }), 201, { location: `/v1/revocations/${receipt.id}` });
    });
}
