import type { Json } from "./json.ts";

/** The key that whoever sends a token must prove to hold (`cnf`, RFC 7800). Both members: both are needed. */
export type Confirmation = {
  /** RFC 7638 thumbprint of the key that signs DPoP proofs (RFC 9449 §6.1). */
  jkt?: string;
  /** Thumbprint of the TLS client certificate (RFC 8705 §3.1). */
  "x5t#S256"?: string;
};

const METHODS = ["jkt", "x5t#S256"] as const;
/** SHA-256 in base64url: 43 characters, of which the last holds two spare bits. */
const SHA256 = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** Reads `cnf`; undefined where it holds a way to confirm that is not known here, or none, or a spelling that is not canonical. */
export function readConfirmation(cnf: Json | undefined): Confirmation | undefined {
  if (cnf === null || typeof cnf !== "object" || Array.isArray(cnf)) return undefined;
  const names = Object.keys(cnf);
  if (names.length === 0 || !names.every((name) => METHODS.includes(name as keyof Confirmation)))
    return undefined;
  const sound = Object.values(cnf).every((value) => typeof value === "string" && SHA256.test(value));
  return sound ? (cnf as Confirmation) : undefined;
}

/** Whether all that a token is bound to was proven; nothing has to be where it is not bound. */
export function isProven(bound: Confirmation | undefined, proven: Confirmation | undefined): boolean {
  if (!bound) return true;
  const keeps = (member: keyof Confirmation) =>
    bound[member] === undefined || bound[member] === proven?.[member];
  return keeps("jkt") && keeps("x5t#S256");
}
