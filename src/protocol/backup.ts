import { deriveKey } from "./derived-key.ts";
import { base64url, canonicalBase64url, sha256Hex, utf8 } from "./encoding.ts";
import type { Json } from "./json.ts";

/**
 * A backup of a deployment: NDJSON in pages. Each page ends with a line that carries the digest of everything up to
 * it and a code by the deployment's secret; the last line says how many there are. So what was changed, dropped,
 * moved or cut off shows, with the digests alone or, where somebody else wrote it, with the secret.
 */
export const BACKUP_VERSION = 1;

export type BackupHeader = {
  portcullis_backup: typeof BACKUP_VERSION;
  /** `bak_…` */
  id: string;
  issuer: string;
  /** Epoch seconds: when the reading began. */
  taken_at: number;
  taken_by: string;
};

/** What follows belongs to this object. On a later page an object goes on with `continues`. */
export type ObjectLine = {
  object: string;
  name: string;
  continues?: true;
  /** Of the first line of an object: SHA-256 of the statements of its tables, and their columns. */
  schema?: string;
  columns?: Record<string, string[]>;
};

/** Bytes stand as base64url under `bytes`. */
export type RowLine = { table: string; row: Json[] };

/** The object is whole: how many rows each of its tables has, and where it goes on numbering. */
export type ObjectEndLine = {
  end: string;
  name: string;
  rows: Record<string, number>;
  sequences: Record<string, number>;
};

export type PageLine = {
  page: number;
  /** SHA-256 of the digest before and the page's text up to this line, hex. */
  digest: string;
  /** HMAC-SHA-256 of page and digest, base64url. */
  mac: string;
  /** Where the next page begins; absent in the last one. */
  next?: string;
};

export type BackupTrailer = {
  backup: string;
  issuer: string;
  taken_at: number;
  pages: number;
  objects: number;
  rows: number;
  digest: string;
  /** One object of each kind, with the schema of its tables. */
  schemas: Record<string, { name: string; schema: string }>;
  mac: string;
};

export type BackupLine = BackupHeader | ObjectLine | RowLine | ObjectEndLine | PageLine | BackupTrailer;

/** How far a backup has been taken in. */
export type RestorationState = {
  backup: string;
  /** Pages that were loaded, of how many. */
  loaded: number;
  pages: number;
  /** Of everything that was loaded, and of the whole (hex). */
  digest: string;
  whole: string;
  /** Epoch seconds: when the log began to answer, and when nothing was left to do. */
  opened_at?: number;
  finished_at?: number;
};

/** An object that owed effects when it was read. */
export type ToWake = { binding: string; name: string };

/** Of no page yet. */
export const EMPTY_DIGEST = "0".repeat(64);

/** The digest with a page, whose text ends before its last line. */
export function pageDigest(before: string, text: string): Promise<string> {
  return sha256Hex(`${before}\n${text}`);
}

/** The key that backups of a deployment are signed with, from its secret. */
export function backupKey(secret: string): Promise<CryptoKey> {
  const hmac = { name: "HMAC", hash: "SHA-256", length: 256 };
  return deriveKey(secret, "portcullis backup v1", hmac, ["sign", "verify"]);
}

export async function signPage(key: CryptoKey, page: Omit<PageLine, "mac" | "next">): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.sign("HMAC", key, utf8(pageText(page)))));
}

export function isPageOf(key: CryptoKey, page: PageLine): Promise<boolean> {
  return verifies(key, page.mac, pageText(page));
}

export async function signTrailer(key: CryptoKey, trailer: Omit<BackupTrailer, "mac">): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.sign("HMAC", key, utf8(trailerText(trailer)))));
}

export function isTrailerOf(key: CryptoKey, trailer: BackupTrailer): Promise<boolean> {
  return verifies(key, trailer.mac, trailerText(trailer));
}

function pageText({ page, digest }: Omit<PageLine, "mac" | "next">): string {
  return `page\n${page}\n${digest}`;
}

function trailerText(trailer: Omit<BackupTrailer, "mac">): string {
  const { backup, issuer, taken_at, pages, objects, rows, digest, schemas } = trailer;
  return `trailer\n${JSON.stringify({ backup, issuer, taken_at, pages, objects, rows, digest, schemas })}`;
}

async function verifies(key: CryptoKey, mac: unknown, text: string): Promise<boolean> {
  const code = typeof mac === "string" ? canonicalBase64url(mac) : undefined;
  return code !== undefined && crypto.subtle.verify("HMAC", key, code, utf8(text));
}
