import * as z from "zod";
import { isTimeZone } from "./local-time.ts";
import { RESOURCE_PATTERN, ROUTE_RESOURCE } from "./resource-name.ts";

/** Short names used as keys and in messages: letters, digits, `-`, `_`, `.`. */
export const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/i, "must be 1–64 letters, digits, '-', '_' or '.'");
/** RFC 6749 §3.3 scope-token. */
export const scopeToken = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, "must be one scope token (RFC 6749 §3.3)");
export const roleName = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, "must be 1–128 printable characters without spaces");
export const httpUrl = z.url({ protocol: /^https?$/, error: "must be an http or https URL" }).max(512);
export const seconds = (max: number) => z.int().min(1).max(max);
export const DAY_SECONDS = 86_400;
export const timeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, "must be a name of the IANA time zone database, such as Europe/Berlin");
export const routeResource = z
  .string()
  .max(256)
  .regex(ROUTE_RESOURCE, "must be segments like 'orders' or 'projects/:id'");
export const resourcePattern = z
  .string()
  .max(256)
  .regex(RESOURCE_PATTERN, "must be segments like 'orders', 'projects/:id' or 'projects/*'");
/** A CEL expression as the policy document holds it; that it parses is told when the policy is checked. */
export const conditionSource = z.string().min(1).max(1_000);
