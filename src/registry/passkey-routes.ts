import { Hono } from "hono";
import * as z from "zod";
import { answer, type HttpEnv, jsonBody, requireScope } from "../platform/http.ts";
import type { Logger } from "../platform/log.ts";
import { type Confirmed, CREDENTIAL_ID_CHARS, encoded, passkeyAnswer } from "../platform/passkey-answer.ts";
import { base64url, sha256Bytes, utf8 } from "../protocol/encoding.ts";
import { ok, type Result } from "../protocol/result.ts";
import { PASSKEY_ALGORITHMS } from "../protocol/webauthn.ts";
import { CHALLENGE_SECONDS, type Passkey } from "./passkey.ts";
import type { PasskeyAddition, PasskeyRemoval, PasskeyUse, Site } from "./passkey-register.ts";

/** The passkeys of one person. */
export type PasskeyPort = {
  list(subject: string): Promise<Result<Passkey[]>>;
  begin(subject: string, confirms: Confirmed): Promise<Result<{ challenge: string; passkeys: Passkey[] }>>;
  add(addition: PasskeyAddition): Promise<Result<Passkey>>;
  use(use: PasskeyUse): Promise<Result<{ passkey_id: string }>>;
  remove(removal: PasskeyRemoval): Promise<Result<null>>;
  reset(subject: string): Promise<Result<{ removed: number }>>;
};

export type PasskeyDeps = { passkeys(subject: string): PasskeyPort; issuer: string; logger: Logger };

const registrationAnswer = z.object({
  id: encoded(CREDENTIAL_ID_CHARS),
  type: z.literal("public-key"),
  response: z.object({
    clientDataJSON: encoded(8_192),
    authenticatorData: encoded(8_192),
    publicKey: encoded(2_048),
    publicKeyAlgorithm: z.int(),
    transports: z.array(z.string().max(32)).max(8).exactOptional(),
  }),
});

const challengeSchema = z.strictObject({
  confirms: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("passkey.register") }),
    z.strictObject({ kind: z.literal("passkey.add") }),
    z.strictObject({ kind: z.literal("passkey.remove"), passkey_id: encoded(CREDENTIAL_ID_CHARS) }),
    z.strictObject({
      kind: z.literal("access_request.approve"),
      access_request_id: z.string().max(64),
      extension: z.string().max(64).exactOptional(),
      scope: z.string().max(2_000).exactOptional(),
      duration_seconds: z.int().exactOptional(),
      max_uses: z.int().exactOptional(),
    }),
    z.strictObject({ kind: z.literal("revocation.confirm"), revocation_id: z.string().max(64) }),
    z.strictObject({ kind: z.literal("remediation.confirm"), remediation_id: z.string().max(64) }),
  ]),
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
const PLAIN = /^[^\x00-\x1f\x7f]*$/;
const plainName = z.string().min(1).max(64).regex(PLAIN, "must not hold control characters");

const addSchema = z.strictObject({
  name: plainName,
  credential: registrationAnswer,
  proof: passkeyAnswer.exactOptional().describe("Of a passkey that there is, for `passkey.add`."),
});
const removeSchema = z.strictObject({ proof: passkeyAnswer });
const resetSchema = z.strictObject({
  subject: z.string().min(1).max(320),
  reason: z.string().min(1).max(500),
});

/** Whoever decides something that a passkey may have to confirm. */
const DECIDERS = requireScope("requests:review", "revocations:write", "remediation:write");

/** Where the passkeys of a deployment are good. */
export function siteOf(issuer: string): Site {
  return { origin: issuer, rpId: new URL(issuer).hostname };
}

/** `/v1/passkeys`: one's own, what one confirms with them, and the way back for who has lost theirs. */
export function passkeyRoutes({ passkeys, issuer, logger }: PasskeyDeps) {
  const site = () => siteOf(issuer);
  return new Hono<HttpEnv>()
    .get("/v1/passkeys", DECIDERS, async (c) => {
      const { subject } = c.var.actor;
      const own = await passkeys(subject).list(subject);
      return answer(c, own.ok ? ok({ items: own.value.map(present) }) : own);
    })
    .post("/v1/passkeys/challenges", DECIDERS, jsonBody(challengeSchema), async (c) => {
      const { subject } = c.var.actor;
      const { confirms } = c.req.valid("json");
      const begun = await passkeys(subject).begin(subject, confirms);
      if (!begun.ok) return answer(c, begun);
      const { challenge, passkeys: own } = begun.value;
      const options =
        confirms.kind === "passkey.register"
          ? await creationOptions(subject, challenge, own, site())
          : requestOptions(challenge, own, site());
      return answer(c, ok({ public_key: options }), 201);
    })
    .post("/v1/passkeys", DECIDERS, jsonBody(addSchema), async (c) => {
      const { name, credential, proof } = c.req.valid("json");
      const { subject } = c.var.actor;
      const addition = { subject, name, answer: credential as PasskeyAddition["answer"], site: site() };
      const added = await passkeys(subject).add({ ...addition, ...(proof ? { proof } : {}) });
      if (added.ok) logger("info", "passkey.added", { subject, passkey: added.value.id });
      return answer(c, added.ok ? ok(present(added.value)) : added, 201);
    })
    .post("/v1/passkeys/reset", requireScope("passkeys:reset"), jsonBody(resetSchema), async (c) => {
      const { subject, reason } = c.req.valid("json");
      const reset = await passkeys(subject).reset(subject);
      if (reset.ok) logger("warn", "passkey.reset", { subject, by: c.var.actor.subject, reason });
      return answer(c, reset);
    })
    .post("/v1/passkeys/:id/remove", DECIDERS, jsonBody(removeSchema), async (c) => {
      const [id, { subject }] = [c.req.param("id"), c.var.actor];
      const removed = await passkeys(subject).remove({ subject, id, ...c.req.valid("json"), site: site() });
      if (removed.ok) logger("info", "passkey.removed", { subject, passkey: id });
      return answer(c, removed.ok ? ok({ id }) : removed);
    });
}

function present({ id, name, created_at, last_used_at }: Passkey) {
  return { id, name, created_at, ...(last_used_at === undefined ? {} : { last_used_at }) };
}

const TIMEOUT_MS = CHALLENGE_SECONDS * 1000;

/** `PublicKeyCredentialCreationOptionsJSON`, WebAuthn §5.1.9. */
async function creationOptions(
  subject: string,
  challenge: string,
  passkeys: readonly Passkey[],
  { rpId }: Site,
) {
  // §5.4.3: it says nothing about the person.
  const handle = base64url(await sha256Bytes(utf8(subject)));
  return {
    challenge,
    rp: { id: rpId, name: "Portcullis" },
    user: { id: handle, name: subject, displayName: subject },
    pubKeyCredParams: PASSKEY_ALGORITHMS.map((alg) => ({ type: "public-key", alg })),
    excludeCredentials: passkeys.map(descriptor),
    authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
    attestation: "none",
    timeout: TIMEOUT_MS,
  };
}

/** `PublicKeyCredentialRequestOptionsJSON`, WebAuthn §5.1.10. */
function requestOptions(challenge: string, passkeys: readonly Passkey[], { rpId }: Site) {
  const allowCredentials = passkeys.map(descriptor);
  return { challenge, rpId, allowCredentials, userVerification: "required", timeout: TIMEOUT_MS };
}

function descriptor({ id, transports }: Passkey) {
  return { type: "public-key", id, transports };
}
