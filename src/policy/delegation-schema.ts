import * as z from "zod";
import { people } from "./access-rule-schema.ts";
import { name, scopeToken } from "./names.ts";

export const delegationSchema = z.strictObject({
  id: name,
  actors: people.describe("Who may act: subjects, which a client's id is too, or roles."),
  for: people.describe("For whom."),
  scopes: z.array(scopeToken).min(1).max(64).describe("The most that a token of theirs can have."),
});
