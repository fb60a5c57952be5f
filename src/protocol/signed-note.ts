import { base64, fromBase64, sha256Bytes, utf8 } from "./encoding.ts";

/** Signed notes with Ed25519 (C2SP signed-note), as the checkpoints of transparency logs are. */
const ED25519 = 0x01;
const KEY_ID_BYTES = 4;
const SIGNATURE_BYTES = 64;

/** Who signs: `name` is the log's origin. `publicKey` has the 32 bytes of RFC 8032. */
export type NoteKey = { name: string; publicKey: Uint8Array };

/** Size and root hash of a log: what a checkpoint says (C2SP tlog-checkpoint). */
export type Checkpoint = { origin: string; size: number; rootHash: Uint8Array };

export function checkpointText({ origin, size, rootHash }: Checkpoint): string {
  return `${origin}\n${size}\n${base64(rootHash)}\n`;
}

/** The note: text, an empty line, the signature. */
export async function signedNote(text: string, key: NoteKey, signature: Uint8Array): Promise<string> {
  const bytes = new Uint8Array([...(await keyId(key)), ...signature]);
  return `${text}\n— ${key.name} ${base64(bytes)}\n`;
}

/** How the key is handed to verifiers: `<name>+<id in hex>+<base64 of 1 and the key>`. */
export async function verifierKey(key: NoteKey): Promise<string> {
  const id = Array.from(await keyId(key), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${key.name}+${id}+${base64(new Uint8Array([ED25519, ...key.publicKey]))}`;
}

/** The key of a verifier key's text, or undefined where it is none of Ed25519 or its id is another. */
export async function readVerifierKey(text: string): Promise<NoteKey | undefined> {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? [];
  const bytes = encoded === undefined ? undefined : fromBase64(encoded);
  if (name === undefined || bytes?.length !== 33 || bytes[0] !== ED25519) return undefined;
  const key = { name, publicKey: bytes.slice(1) };
  return (await verifierKey(key)).split("+")[1] === id ? key : undefined;
}

/** The checkpoint of a note that the key has signed, or what is wrong with it. */
export async function openCheckpoint(
  note: string,
  key: NoteKey,
): Promise<{ checkpoint: Checkpoint } | { fault: string }> {
  const end = note.lastIndexOf("\n\n");
  if (end < 0) return { fault: "it is no signed note" };
  const text = note.slice(0, end + 1);
  const signature = await signatureBy(key, note.slice(end + 2));
  if (!signature) return { fault: `it has no signature by ${key.name}` };
  const imported = await crypto.subtle.importKey("raw", bufferOf(key.publicKey), "Ed25519", false, [
    "verify",
  ]);
  const genuine = await crypto.subtle.verify("Ed25519", imported, bufferOf(signature), utf8(text));
  if (!genuine) return { fault: "its signature does not verify" };
  const [, origin, size, root] = /^([^\n]+)\n(0|[1-9]\d{0,14})\n([A-Za-z0-9+/]{43}=)\n/.exec(text) ?? [];
  if (origin === undefined || root === undefined) return { fault: "it does not name a size and a root hash" };
  if (origin !== key.name) return { fault: `it is of the log ${origin}` };
  return { checkpoint: { origin, size: Number(size), rootHash: fromBase64(root)! } };
}

async function signatureBy(key: NoteKey, lines: string): Promise<Uint8Array | undefined> {
  const id = await keyId(key);
  for (const line of lines.split("\n")) {
    const [, name, encoded] = /^— (\S+) ([A-Za-z0-9+/=]+)$/.exec(line) ?? [];
    const bytes = name === key.name && encoded !== undefined ? fromBase64(encoded) : undefined;
    if (bytes?.length !== KEY_ID_BYTES + SIGNATURE_BYTES) continue;
    if (id.every((byte, i) => byte === bytes[i])) return bytes.slice(KEY_ID_BYTES);
  }
  return undefined;
}

async function keyId({ name, publicKey }: NoteKey): Promise<Uint8Array> {
  const hash = await sha256Bytes(new Uint8Array([...utf8(`${name}\n`), ED25519, ...publicKey]));
  return hash.slice(0, KEY_ID_BYTES);
}

function bufferOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
