import { randomBytes } from "node:crypto";
import { realpathSync } from "node:fs";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";

const NAMES = ["PORTCULLIS_SECRET", "PORTCULLIS_OPERATOR_SECRET"] as const;

/** The two secrets of a deployment; each is 256 random bits in base64url. */
export type Secrets = Record<(typeof NAMES)[number], string>;

export function newSecrets(): Secrets {
  const secret = () => randomBytes(32).toString("base64url");
  return { PORTCULLIS_SECRET: secret(), PORTCULLIS_OPERATOR_SECRET: secret() };
}

/** The .env format that `wrangler dev` and `wrangler deploy --secrets-file` read. */
function formatSecrets(secrets: Secrets): string {
  return NAMES.map((name) => `${name}=${secrets[name]}\n`).join("");
}

/**
 * Reads the secrets from `file`; makes what is missing or empty and keeps every other line as it is.
 * The file ends readable for its owner alone (mode 0600).
 */
export async function ensureSecrets(file: string): Promise<{ secrets: Secrets; made: boolean }> {
  const before = await readFile(file, "utf8").catch((fault: NodeJS.ErrnoException) => {
    if (fault.code === "ENOENT") return "";
    throw fault;
  });
  const fresh = newSecrets();
  let text = before;
  for (const name of NAMES) {
    if (!parseEnv(text)[name]) text = withValue(text, name, fresh[name]);
  }
  if (text !== before) await writeFile(file, text, { mode: 0o600 });
  await chmod(file, 0o600);
  const values = parseEnv(text);
  const secrets = Object.fromEntries(NAMES.map((name) => [name, values[name]])) as Secrets;
  return { secrets, made: text !== before };
}

function withValue(text: string, name: string, value: string): string {
  const line = `${name}=${value}`;
  const empty = new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=.*$`, "m");
  if (empty.test(text)) return text.replace(empty, line);
  const gap = text === "" || text.endsWith("\n") ? "" : "\n";
  return `${text}${gap}${line}\n`;
}

const command = process.argv[1];
if (command !== undefined && realpathSync(command) === fileURLToPath(import.meta.url)) {
  process.stdout.write(formatSecrets(newSecrets()));
}
