import * as z from "zod";
import { json, type Operations } from "../platform/operation.ts";
import { moment } from "../revocation/shown-schema.ts";

const passkeySchema = z
  .strictObject({
    id: z.string().describe("The credential's, base64url."),
    name: z.string(),
    created_at: moment,
    last_used_at: moment.exactOptional(),
  })
  .meta({ id: "Passkey", description: "A passkey of the caller's." });

const PASSKEY = { id: "mFYk3h0VnZ8", name: "blue security key", created_at: 1795325180 };
const ANSWER = {
  ...{ id: PASSKEY.id, type: "public-key" },
  response: { clientDataJSON: "eyJ0eXBlIjoi", authenticatorData: "SZYN5YgOjGh0", signature: "MEUCIQD" },
};
const CREDENTIAL = {
  ...{ id: PASSKEY.id, type: "public-key" },
  response: {
    ...{ clientDataJSON: "eyJ0eXBlIjoi", authenticatorData: "SZYN5YgOjGh0" },
    ...{ publicKey: "MFkwEwYHKoZIzj0CAQ", publicKeyAlgorithm: -7 },
  },
};

/** `/v1/passkeys`. */
export const passkeyOperations: Operations = {
  "GET /v1/passkeys": {
    id: "passkeys.list",
    summary: "List one's passkeys",
    answers: {
      200: json("All of them.", z.strictObject({ items: z.array(passkeySchema) }), { items: [PASSKEY] }),
    },
  },
  "POST /v1/passkeys/challenges": {
    id: "passkeys.challenge",
    summary: "Begin to confirm something with a passkey",
    description: "The challenge is good for one answer, for exactly what it names, and for five minutes.",
    example: {
      confirms: { kind: "access_request.approve", access_request_id: "req_01m80vge8se3ps2w3e76kefsk1" },
    },
    answers: {
      201: json(
        "Options for `navigator.credentials.get`, or `create` for `passkey.register` (WebAuthn Level 3 §5.1).",
        z.strictObject({ public_key: z.record(z.string(), z.unknown()) }),
        { public_key: { challenge: "aGFzaA", rpId: "auth.example.com", userVerification: "required" } },
      ),
    },
    errors: ["passkey_required"],
  },
  "POST /v1/passkeys": {
    id: "passkeys.add",
    summary: "Add a passkey",
    description: "From the second one on with the word of one that there is.",
    example: { name: PASSKEY.name, credential: CREDENTIAL },
    answers: { 201: json("The passkey.", passkeySchema, PASSKEY) },
    errors: ["passkey_required", "invalid_request", "conflict"],
  },
  "POST /v1/passkeys/:id/remove": {
    id: "passkeys.remove",
    summary: "Remove a passkey",
    example: { proof: ANSWER },
    answers: { 200: json("It is gone.", z.strictObject({ id: z.string() }), { id: PASSKEY.id }) },
    errors: ["passkey_required", "not_found"],
  },
  "POST /v1/passkeys/reset": {
    id: "passkeys.reset",
    summary: "Let somebody who has lost their passkeys begin anew",
    example: { subject: "corp|ann", reason: "the laptop was stolen" },
    answers: { 200: json("How many were removed.", z.strictObject({ removed: z.int() }), { removed: 1 }) },
  },
};
