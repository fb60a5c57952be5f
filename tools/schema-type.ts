import type { JsonSchema } from "../src/control/json-schemas.ts";

/** The TypeScript type of what fits a JSON Schema, as text. `indent` is that of the line that it begins on. */
export function schemaType(schema: JsonSchema, indent = ""): string {
  const { $ref, const: constant, enum: values, anyOf, oneOf, allOf, type } = schema;
  if (typeof $ref === "string") return $ref.slice($ref.lastIndexOf("/") + 1);
  if (constant !== undefined) return JSON.stringify(constant);
  if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(" | ");
  const either = (anyOf ?? oneOf) as JsonSchema[] | undefined;
  if (either) return unique(either.map((each) => schemaType(each, indent))).join(" | ");
  if (Array.isArray(allOf)) return allOf.map((each) => bracketed(schemaType(each, indent))).join(" & ");
  if (Array.isArray(type))
    return unique(type.map((each) => schemaType({ ...schema, type: each }, indent))).join(" | ");
  switch (type) {
    case "string":
    case "boolean":
    case "null":
      return type;
    case "integer":
    case "number":
      return "number";
    case "array":
      return arrayType(schema, indent);
    case "object":
      return objectType(schema, indent);
    default:
      return "unknown";
  }
}

function arrayType({ items, prefixItems }: JsonSchema, indent: string): string {
  if (Array.isArray(prefixItems))
    return `[${prefixItems.map((each) => schemaType(each, indent)).join(", ")}]`;
  return `${bracketed(schemaType((items ?? {}) as JsonSchema, indent))}[]`;
}

function objectType(schema: JsonSchema, indent: string): string {
  const { properties = {}, required = [], additionalProperties: rest } = schema;
  const members = Object.entries(properties as Record<string, JsonSchema>);
  const inner = `${indent}  `;
  const lines = members.map(([name, member]) => {
    const optional = (required as string[]).includes(name) ? "" : "?";
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
    return `${comment(member, inner)}${inner}${key}${optional}: ${schemaType(member, inner)};\n`;
  });
  // Other members of a type that may have them are not known.
  const others = rest === undefined || (members.length > 0 && isEmpty(rest)) ? "unknown" : rest;
  if (rest !== false) {
    const value = typeof others === "object" ? schemaType(others as JsonSchema, inner) : "unknown";
    lines.push(`${inner}[member: string]: ${members.length > 0 ? "unknown" : value};\n`);
  }
  return lines.length > 0 ? `{\n${lines.join("")}${indent}}` : "Record<string, never>";
}

/** What a schema says of itself, before the line of what it is of. */
export function comment({ description }: JsonSchema, indent: string): string {
  return typeof description === "string" ? `${indent}/** ${description.replaceAll("*/", "*∕")} */\n` : "";
}

function isEmpty(schema: unknown): boolean {
  return typeof schema === "object" && schema !== null && Object.keys(schema).length === 0;
}

function bracketed(type: string): string {
  return / [|&] /.test(type) && !type.startsWith("{") ? `(${type})` : type;
}

function unique(types: string[]): string[] {
  return [...new Set(types)];
}
