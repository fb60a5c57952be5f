import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SecretBox } from "../../src/platform/secret-box.ts";
import { fromUtf8 } from "../../src/protocol/encoding.ts";
import { SECRET } from "./runtime.ts";
import type { TestKey } from "./token-factory.ts";

type Row = { kid: string; purpose: string; public_jwk: string; private_sealed: string };

/**
 * The keys that a deployment signs with, from its storage and its secret: with them a test signs what the
 * deployment itself never would.
 */
export async function deployedKeys(stateDir: string): Promise<{ own: TestKey; assertion: TestKey }> {
  const folder = join(stateDir, "KeyringObject");
  const file = readdirSync(folder).find((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  if (!file) throw new Error("the deployment has no key ring");
  const db = new DatabaseSync(join(folder, file), { readOnly: true });
  const rows = db
    .prepare("SELECT kid, purpose, public_jwk, private_sealed FROM signing_keys ORDER BY created_at")
    .all() as Row[];
  db.close();
  const open = async (purpose: string): Promise<TestKey> => {
    const row = rows.find((each) => each.purpose === purpose);
    if (!row) throw new Error(`the deployment has no key for ${purpose}`);
    const box = new SecretBox({ PORTCULLIS_SECRET: SECRET }, "signing-key");
    const plain = await box.open(row.private_sealed, row.kid);
    const jwk = JSON.parse(row.public_jwk);
    const p256 = { name: "ECDSA", namedCurve: "P-256" };
    const imported = (of: JsonWebKey, use: "sign" | "verify") =>
      crypto.subtle.importKey("jwk", of, p256, true, [use]);
    const privateJwk = JSON.parse(fromUtf8(plain!)!);
    return {
      ...{ kid: row.kid, alg: "ES256", jwk },
      publicKey: await imported({ ...jwk, key_ops: ["verify"] }, "verify"),
      privateKey: await imported({ ...privateJwk, key_ops: ["sign"] }, "sign"),
    };
  };
  return { own: await open("access_token"), assertion: await open("assertion") };
}
