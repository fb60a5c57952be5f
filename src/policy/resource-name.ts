import * as z from "zod";
import { PARAM } from "./names.ts";

/** Characters of one segment of a resource; a colon may not stand first. */
const RESOURCE_LITERAL = "[A-Za-z0-9._~@+=,-][A-Za-z0-9._~@+=,:-]*";
/** A resource itself, as it is asked for and granted: `projects/42`. */
export const RESOURCE = new RegExp(`^${RESOURCE_LITERAL}(?:/${RESOURCE_LITERAL})*$`);
export const routeResource = z
  .string()
  .max(256)
  .regex(
    new RegExp(`^${RESOURCE_LITERAL}(?:/(?:${RESOURCE_LITERAL}|${PARAM}))*$`),
    "must be segments like 'orders' or 'projects/:id'",
  );
export const resourcePattern = z
  .string()
  .max(256)
  .regex(
    new RegExp(`^${RESOURCE_LITERAL}(?:/(?:${RESOURCE_LITERAL}|${PARAM}|\\*))*$`),
    "must be segments like 'orders', 'projects/:id' or 'projects/*'",
  );
