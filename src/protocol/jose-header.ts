import type { Json } from "./json.ts";
import { err, ok, type Result } from "./result.ts";

/** The members of a protected header that are used (RFC 7515 §4.1). */
export type JoseHeader = { alg: string; typ: string; kid?: string };

/**
 * Members by which a token would choose its own key, change what is signed or how the payload is read:
 * key injection (RFC 8725 §3.10), extensions that are not understood (RFC 7515 §4.1.11), unencoded payloads
 * (RFC 7797), compression, nesting and encryption.
 */
const REFUSED = ["crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "cty", "enc"];

/** Printable ASCII without spaces. A name, never a path, a query or a key. */
const KID = /^[\x21-\x7e]{1,256}$/;

/** Reads a protected header, already parsed without duplicate members. */
export function readJoseHeader(
  members: Record<string, Json>,
): Result<JoseHeader, "malformed" | "algorithm" | "type"> {
  for (const name of REFUSED) if (Object.hasOwn(members, name)) return err("malformed");
  const { alg, typ, kid } = members;
  if (typeof alg !== "string") return err("algorithm");
  if (typeof typ !== "string") return err("type");
  if (kid === undefined) return ok({ alg, typ });
  return typeof kid === "string" && KID.test(kid) ? ok({ alg, typ, kid }) : err("malformed");
}

/** A `typ` in the form that is compared: without case and without `application/` (RFC 7515 §4.1.9). */
export function mediaSubtype(typ: string): string {
  return typ.toLowerCase().replace(/^application\//, "");
}
