import * as z from "zod";

export type JsonSchema = { [keyword: string]: unknown };

const REFERENCE = "#/$defs/";
const JSON_VALUE = "JsonValue";

/** Turns zod's schemas into JSON Schema 2020-12, as people write the data; named ones are kept in one place. */
export class JsonSchemas {
  /** By name, for `components.schemas`. */
  readonly named: Record<string, JsonSchema> = {};

  /** `name` is for the schema where it has none of its own. */
  of(schema: z.ZodType, name?: string): JsonSchema {
    const own = name !== undefined && schema.meta()?.id === undefined ? schema.meta({ id: name }) : schema;
    const {
      $schema: _dialect,
      $defs = {},
      ...converted
    } = z.toJSONSchema(own, {
      io: "input",
      unrepresentable: "any",
      override: ({ jsonSchema }) => tidy(jsonSchema as JsonSchema),
    }) as JsonSchema & { $defs?: Record<string, JsonSchema> };
    for (const [id, part] of Object.entries($defs)) {
      this.named[nameOf(id, part)] = this.#withReferences(part, $defs);
    }
    const { id, ...rest } = converted;
    const whole = this.#withReferences(rest, $defs);
    if (typeof id !== "string") return whole;
    this.named[id] = whole;
    return { $ref: `#/components/schemas/${id}` };
  }

  #withReferences(schema: JsonSchema, defs: Record<string, JsonSchema>): JsonSchema {
    const text = JSON.stringify(schema, (member, value) => {
      if (member !== "$ref" || typeof value !== "string" || !value.startsWith(REFERENCE)) return value;
      const id = value.slice(REFERENCE.length);
      return `#/components/schemas/${nameOf(id, defs[id] ?? {})}`;
    });
    const { id: _id, ...rest } = JSON.parse(text);
    return rest;
  }
}

/** zod numbers what recurs and has no name; of these there is `z.json()` alone. */
function nameOf(id: string, part: JsonSchema): string {
  if (!id.startsWith("__schema")) return id;
  if (JSON.stringify(part.anyOf ?? "").includes('{"type":"null"}')) return JSON_VALUE;
  throw new Error(
    `A schema that recurs has no name: give it one with .meta({ id }). ${JSON.stringify(part)}`,
  );
}

/** Leaves out what zod says of every integer and of every key, and what no reader can use. */
function tidy(schema: JsonSchema): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  const { propertyNames: names } = schema;
  if (names && Object.keys(names).join() === "type") delete schema.propertyNames;
}
