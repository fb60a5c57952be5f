import { PARAM } from "./path-pattern.ts";

/** Characters of one segment of a resource; a colon may not stand first. */
const LITERAL = "[A-Za-z0-9._~@+=,-][A-Za-z0-9._~@+=,:-]*";
/** A resource itself, as it is asked for and granted: `projects/42`. */
export const RESOURCE = new RegExp(`^${LITERAL}(?:/${LITERAL})*$`);
/** What a route is about: `projects/:id`. */
export const ROUTE_RESOURCE = new RegExp(`^${LITERAL}(?:/(?:${LITERAL}|${PARAM}))*$`);
/** What an access rule covers: `projects/*` too. */
export const RESOURCE_PATTERN = new RegExp(`^${LITERAL}(?:/(?:${LITERAL}|${PARAM}|\\*))*$`);
