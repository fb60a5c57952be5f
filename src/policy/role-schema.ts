import * as z from "zod";
import { scopeToken } from "./names.ts";

export const roleSchema = z.strictObject({ scopes: z.array(scopeToken).max(64) });
