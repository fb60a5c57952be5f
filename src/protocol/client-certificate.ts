import { base64url } from "./encoding.ts";

const SHA256_HEX = /^[0-9a-f]{64}$/i;

/**
 * The `x5t#S256` (RFC 8705 §3.1: base64url of the SHA-256 of the certificate) of the client certificate that
 * the platform has verified in the TLS handshake, from the request's `cf` object; undefined where there is
 * none, or where it was not verified or is revoked. Only the platform sets `cf`: no header is ever looked at.
 */
export function certificateThumbprint(cf: unknown): string | undefined {
  const tls = (cf as { tlsClientAuth?: Record<string, unknown> | null } | null | undefined)?.tlsClientAuth;
  if (tls?.certPresented !== "1" || tls.certVerified !== "SUCCESS" || tls.certRevoked === "1")
    return undefined;
  const hex = tls.certFingerprintSHA256;
  if (typeof hex !== "string" || !SHA256_HEX.test(hex)) return undefined;
  return base64url(Uint8Array.from(hex.match(/../g)!, (byte) => Number.parseInt(byte, 16)));
}
