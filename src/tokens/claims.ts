import type { TrustedIssuer } from "../policy/document.ts";
import { RESOURCE } from "../policy/resource-name.ts";
import { type Confirmation, readConfirmation } from "../protocol/confirmation.ts";
import type { Json } from "../protocol/json.ts";
import { PLAIN_TEXT } from "../protocol/plain-text.ts";
import type { SignIn } from "../protocol/sign-in.ts";
import { MAX_TOKEN_LIFE_SECONDS, type TokenFacts } from "../revocation/rule.ts";
import { RESOURCE_DETAIL_TYPE } from "./access-token.ts";
import { type ActClaim, readAct } from "./act.ts";
import { parseRfc3339 } from "./rfc3339.ts";

/** What a token says once its signature holds. All moments are epoch seconds. */
export type VerifiedToken = {
  facts: TokenFacts;
  /** Issued by us; otherwise by the trusted issuer `issuerId`. */
  own: boolean;
  issuerId?: string;
  audience: string[];
  scopes: string[];
  roles: string[];
  /** Resource identifiers that the token was granted for: only ours carry any. */
  resources: string[];
  expiresAt: number;
  notBefore?: number;
  accessStart?: number;
  accessExpiry?: number;
  /** The uses of its grant are counted: it is good where it can be counted, and nowhere else. */
  maxUses?: number;
  /** The token is good only together with a proof that its sender holds this key. */
  confirmation?: Confirmation;
  /** Who acts for the subject (RFC 8693 §4.1). */
  act?: ActClaim;
  /** How the person signed in, where the token says so. */
  signIn?: SignIn;
  /** The key that verified it. */
  key: CryptoKey;
};

/** Our own tokens end on the second: time ends access. */
const OWN_EXPIRY_TOLERANCE_SECONDS = 0;
/** For issuers whose clock is not ours. */
const ISSUER_EXPIRY_TOLERANCE_SECONDS = 30;
/** How far `nbf` and `iat` may lie ahead: they are set by another clock a moment before the token is used. */
const START_TOLERANCE_SECONDS = 60;

/** The year 5138; a NumericDate above it is milliseconds, or a mistake. */
const MAX_NUMERIC_DATE = 1e11;
const MAX_LIST_ITEMS = 256;
/** One that is longer is the `jti` of no token. */
export const MAX_JTI_CHARS = 128;

/** RFC 6749 §3.3. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;
/** A role of an identity provider may be any text, such as a group's display name, but no control characters. */
const ROLE = /^[^\p{Cc}\p{Zl}\p{Zp}]{1,256}$/u;
const MAX_RESOURCE_CHARS = 256;
/** As the policy can name one: identity providers also have others, which open nothing. */
const ACR = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

type Claims = Record<string, Json>;
/** A claim's value; undefined where it is absent, null where it is not what it must be. */
type Read<T> = T | undefined | null;

/** Claims of our own access token (RFC 9068 §2.2, all required there); undefined where one is not as minted. */
export function readOwnClaims(
  claims: Claims,
  key: { kid: string; key: CryptoKey },
): VerifiedToken | undefined {
  const base = readBase(claims);
  const clientId = text(claims, "client_id", 255);
  const grant = text(claims, "grant", 128);
  const session = text(claims, "sid", 128);
  const scopes = list(claims, "scope", SCOPE_TOKEN, "string");
  const roles = list(claims, "roles", ROLE, "array");
  const resources = readResources(claims);
  const accessStart = moment(claims, "access_start");
  const accessExpiry = moment(claims, "access_expiry");
  const maxUses = useCount(claims);
  const act = actClaim(claims);
  if (!base?.jti || !clientId || !resources || act === null) return undefined;
  if ([grant, session, scopes, roles, accessStart, accessExpiry, maxUses].includes(null)) return undefined;
  // Without its grant nobody could count them.
  if (maxUses !== undefined && !grant) return undefined;
  const { jti, sub, iat, confirmation } = base;
  return {
    facts: {
      iss: claims.iss as string,
      sub,
      subject: sub,
      iat,
      kid: key.kid,
      jti,
      client_id: clientId,
      ...(grant ? { grant } : {}),
      ...(session ? { session } : {}),
      ...(confirmation?.jkt ? { jkt: confirmation.jkt } : {}),
    },
    own: true,
    ...base.window,
    scopes: scopes ?? [],
    roles: roles ?? [],
    resources,
    ...(typeof accessStart === "number" ? { accessStart } : {}),
    ...(typeof accessExpiry === "number" ? { accessExpiry } : {}),
    ...(typeof maxUses === "number" ? { maxUses } : {}),
    ...(confirmation ? { confirmation } : {}),
    ...(act ? { act } : {}),
    ...signInOf(claims),
    key: key.key,
  };
}

/** Claims of a trusted issuer's token, its roles and scopes by the policy's mapping; no mapping, none of them. */
export function readIssuerClaims(
  claims: Claims,
  issuer: TrustedIssuer,
  key: { kid: string; key: CryptoKey },
): VerifiedToken | undefined {
  const base = readBase(claims);
  const clientId = text(claims, "client_id", 255);
  const session = text(claims, "sid", 128);
  const mapped = issuer.claims;
  const scopes = mapped.scopes === undefined ? [] : list(claims, mapped.scopes, SCOPE_TOKEN, "either");
  const roles = mapped.roles === undefined ? [] : list(claims, mapped.roles, ROLE, "either");
  const act = actClaim(claims, (sub) => `${issuer.id}|${sub}`);
  if (!base || act === null || [clientId, session, scopes, roles].includes(null)) return undefined;
  const { jti, sub, iat, confirmation } = base;
  return {
    facts: {
      iss: issuer.issuer,
      sub,
      subject: `${issuer.id}|${sub}`,
      iat,
      kid: key.kid,
      ...(jti ? { jti } : {}),
      ...(clientId ? { client_id: clientId } : {}),
      ...(session ? { session } : {}),
      ...(confirmation?.jkt ? { jkt: confirmation.jkt } : {}),
    },
    own: false,
    issuerId: issuer.id,
    ...base.window,
    scopes: scopes ?? [],
    roles: roles ?? [],
    resources: [],
    ...(confirmation ? { confirmation } : {}),
    ...(act ? { act } : {}),
    ...signInOf(claims),
    key: key.key,
  };
}

/** Whether the token may not be used now. Called on every use, however often it was verified before. */
export function windowFault(
  token: VerifiedToken,
  nowSeconds: number,
): "expired" | "not_yet_valid" | undefined {
  if (nowSeconds >= usableUntil(token)) return "expired";
  const latestStart = nowSeconds + START_TOLERANCE_SECONDS;
  if (token.facts.iat > latestStart) return "not_yet_valid";
  if (token.notBefore !== undefined && token.notBefore > latestStart) return "not_yet_valid";
  if (token.accessStart !== undefined && nowSeconds < token.accessStart) return "not_yet_valid";
  return undefined;
}

/** The moment from which the token is not accepted. */
export function usableUntil(token: VerifiedToken): number {
  if (!token.own) return token.expiresAt + ISSUER_EXPIRY_TOLERANCE_SECONDS;
  const end = token.expiresAt + OWN_EXPIRY_TOLERANCE_SECONDS;
  return Math.min(end, token.accessExpiry ?? end);
}

type Base = {
  sub: string;
  iat: number;
  jti?: string;
  confirmation?: Confirmation;
  window: { audience: string[]; expiresAt: number; notBefore?: number };
};

/**
 * What every token must have. `iat` is among it: a revocation may be forgotten only because no token lives
 * longer than {@link MAX_TOKEN_LIFE_SECONDS}. A `cnf` (RFC 7800) that says something which nobody here checks
 * is refused: such a token is no bearer token.
 */
function readBase(claims: Claims): Base | undefined {
  const sub = text(claims, "sub", 255);
  const jti = text(claims, "jti", MAX_JTI_CHARS);
  const iat = numericDate(claims, "iat");
  const expiresAt = numericDate(claims, "exp");
  const notBefore = numericDate(claims, "nbf");
  const audience = readAudience(claims);
  if (!sub || jti === null || typeof iat !== "number" || !expiresAt || notBefore === null) return undefined;
  if (!audience) return undefined;
  const confirmation = Object.hasOwn(claims, "cnf") ? readConfirmation(claims.cnf) : undefined;
  if (!confirmation && Object.hasOwn(claims, "cnf")) return undefined;
  if (expiresAt - iat > MAX_TOKEN_LIFE_SECONDS) return undefined;
  const window = { audience, expiresAt, ...(notBefore === undefined ? {} : { notBefore }) };
  return { sub, iat, window, ...(jti ? { jti } : {}), ...(confirmation ? { confirmation } : {}) };
}

function member(claims: Claims, name: string): Json | undefined {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

function text(claims: Claims, name: string, maxChars: number): Read<string> {
  const value = member(claims, name);
  if (value === undefined) return undefined;
  return typeof value === "string" && value.length <= maxChars && PLAIN_TEXT.test(value) ? value : null;
}

function numericDate(claims: Claims, name: string): Read<number> {
  const value = member(claims, name);
  if (value === undefined) return undefined;
  // NaN cannot be parsed from JSON, 1e400 parses to Infinity.
  return typeof value === "number" && value >= 0 && value <= MAX_NUMERIC_DATE ? value : null;
}

function moment(claims: Claims, name: string): Read<number> {
  const value = member(claims, name);
  if (value === undefined) return undefined;
  return (typeof value === "string" ? parseRfc3339(value) : undefined) ?? null;
}

function useCount(claims: Claims): Read<number> {
  const value = member(claims, "max_uses");
  if (value === undefined) return undefined;
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : null;
}

/** What is not as it must be counts as not said: whoever needs it refuses, and nobody else cares. */
function signInOf(claims: Claims): Pick<VerifiedToken, "signIn"> {
  const acr = member(claims, "acr");
  const authTime = numericDate(claims, "auth_time");
  const signIn: SignIn = {};
  if (typeof acr === "string" && ACR.test(acr)) signIn.acr = acr;
  if (typeof authTime === "number") signIn.auth_time = authTime;
  return signIn.acr === undefined && signIn.auth_time === undefined ? {} : { signIn };
}

function actClaim(claims: Claims, name?: (sub: string) => string): Read<ActClaim> {
  const value = member(claims, "act");
  return value === undefined ? undefined : readAct(value, name);
}

/** RFC 7519 §4.1.3: one string or an array of them. */
function readAudience(claims: Claims): string[] | undefined {
  const value = member(claims, "aud");
  const audience = Array.isArray(value) ? value : [value];
  if (audience.length === 0 || audience.length > MAX_LIST_ITEMS) return undefined;
  const plain = audience.every(
    (item) => typeof item === "string" && item.length <= 512 && PLAIN_TEXT.test(item),
  );
  return plain ? (audience as string[]) : undefined;
}

/** A list of names, as an array or as a string that is split at spaces. */
function list(
  claims: Claims,
  name: string,
  item: RegExp,
  form: "array" | "string" | "either",
): Read<string[]> {
  const value = member(claims, name);
  if (value === undefined) return undefined;
  const items = listItems(value, form);
  if (!items || items.length > MAX_LIST_ITEMS) return null;
  return items.every((each) => typeof each === "string" && item.test(each)) ? (items as string[]) : null;
}

function listItems(value: Json, form: "array" | "string" | "either"): Json[] | undefined {
  if (Array.isArray(value) && form !== "string") return value;
  if (typeof value === "string" && form !== "array") return value.split(" ").filter((each) => each !== "");
  return undefined;
}

/** `authorization_details` (RFC 9396): our own type names one resource, other types are not ours to judge. */
function readResources(claims: Claims): string[] | undefined {
  const details = member(claims, "authorization_details");
  if (details === undefined) return [];
  if (!Array.isArray(details) || details.length > MAX_LIST_ITEMS) return undefined;
  const resources: string[] = [];
  for (const detail of details) {
    if (detail === null || typeof detail !== "object" || Array.isArray(detail)) return undefined;
    if (typeof detail.type !== "string") return undefined;
    if (detail.type !== RESOURCE_DETAIL_TYPE) continue;
    if (!isGrantedResource(detail.identifier)) return undefined;
    resources.push(detail.identifier);
  }
  return resources;
}

/** `projects/42`, or `projects/*` for every one of them. */
function isGrantedResource(identifier: Json | undefined): identifier is string {
  if (typeof identifier !== "string" || identifier.length > MAX_RESOURCE_CHARS) return false;
  return identifier.split("/").every((segment) => segment === "*" || RESOURCE.test(segment));
}
