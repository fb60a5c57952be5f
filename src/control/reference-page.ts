import { html } from "hono/html";
import { htmlPage, type Markup } from "../platform/html-page.ts";
import type { JsonSchema } from "./json-schemas.ts";
import type {
  DescribedContent,
  DescribedOperation,
  DescribedParameter,
  OpenApiDocument,
} from "./openapi-document.ts";
import { REFERENCE_STYLE } from "./reference-style.ts";

type Listed = { method: string; path: string; operation: DescribedOperation };

/** The OpenAPI document as one page: nothing runs, and nothing is fetched. */
export function referencePage(document: OpenApiDocument, nonce: string) {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  const groups = Map.groupBy(operations, ({ operation }) => operation.tags[0] ?? "");
  const schemas = Object.entries(document.components.schemas ?? {});
  const { description } = document.info;
  const body = html`<header>
      <h1>Portcullis: HTTP reference</h1>
      <p>${withCode(String(description))}</p>
      <p>For programs: <a href="/openapi.json">OpenAPI 3.1</a>. It is made from the schemas that run.</p>
    </header>
    <nav aria-label="Operations">
      <ul class="rooms">${[...groups].map(([tag, own]) => navigationOf(tag, own))}<li class="room"><a href="#schemas">schemas</a></li></ul>
    </nav>
    <main>
      ${[...groups].map(([tag, own]) => html`<section><h2 id="${tag}">${tag}</h2>${own.map(operationOf)}</section>`)}
      <section><h2 id="schemas">schemas</h2>${schemas.map(schemaOf)}</section>
    </main>`;
  return htmlPage("Portcullis: HTTP reference", body, { style: REFERENCE_STYLE, nonce });
}

function navigationOf(tag: string, own: Listed[]): Markup {
  const links = own.map(
    ({ operation: { operationId: id } }) => html`<li><a href="#${id}">${id.slice(tag.length + 1)}</a></li>`,
  );
  return html`<li class="room"><a href="#${tag}">${tag}</a><ul>${links}</ul></li>`;
}

function operationOf({ method, path, operation }: Listed): Markup {
  const { operationId: id, summary, description, parameters = [], requestBody, responses } = operation;
  return html`<article id="${id}">
    <h3><a href="#${id}">${id}</a></h3>
    <p class="call"><code><b>${method.toUpperCase()}</b> ${path}</code></p>
    <p>${summary}.${description === undefined ? "" : html` ${withCode(description)}`}</p>
    <p class="needs">${needsOf(operation)}</p>
    ${parameters.length === 0 ? "" : parametersOf(parameters)}
    ${requestBody ? html`<h4>Request${requestBody.required ? "" : " (may be absent)"}</h4>${contentOf(requestBody.content)}` : ""}
    ${Object.entries(responses).map(([status, { description: says, content }]) => answerOf(status, says, content))}
  </article>`;
}

function needsOf({ security, responses }: DescribedOperation): Markup {
  const scopes = security.flatMap((each) => each.oauth ?? []);
  if (scopes.length > 0) {
    const either = scopes.map((scope, i) => html`${i === 0 ? "" : " or "}<code>${scope}</code>`);
    return html`Needs ${either}.`;
  }
  if (security.some((each) => each.oauth)) return html`Needs an access token.`;
  if (security.some((each) => each.client)) return html`The client authenticates itself.`;
  if (security.some((each) => each.session)) return html`For a browser with a session.`;
  return html`${responses[401] ? "The signature says who calls." : "Needs no access token."}`;
}

function parametersOf(parameters: DescribedParameter[]): Markup {
  const rows = parameters.map(
    ({ name, in: place, required, description, schema }) => html`<tr>
      <th scope="row"><code>${name}</code></th>
      <td>${place}${required ? "" : ", optional"}</td>
      <td>${typeText(schema)}${description === undefined ? "" : html`<br>${description}`}</td>
    </tr>`,
  );
  return html`<div class="wide"><table><caption>Parameters</caption>${rows}</table></div>`;
}

const PROBLEM = "application/problem+json";

function answerOf(status: string, description: string, content: DescribedContent | undefined): Markup {
  const summary = html`<b>${status}</b> ${withCode(description)}`;
  // Every problem has one form: its schema stands once, below.
  if (!content || content[PROBLEM]) return html`<p class="answer">${summary}</p>`;
  const open = Number(status) < 400 ? html`<details class="answer" open>` : html`<details class="answer">`;
  return html`${open}<summary>${summary}</summary>${contentOf(content)}</details>`;
}

function contentOf(content: DescribedContent): Markup {
  const parts = Object.entries(content).map(
    ([
      media,
      { schema, example },
    ]) => html`<p class="media">${media}${schema ? html`: ${typeText(schema)}` : ""}</p>
      ${schema && !schema.$ref ? membersOf(schema) : ""}
      ${example === undefined ? "" : html`<pre tabindex="0">${exampleText(example)}</pre>`}`,
  );
  return html`${parts}`;
}

function schemaOf([name, schema]: [string, JsonSchema]): Markup {
  return html`<article id="schema-${name}">
    <h3><a href="#schema-${name}">${name}</a></h3>
    ${typeof schema.description === "string" ? html`<p>${withCode(schema.description)}</p>` : ""}
    ${schema.properties ? "" : html`<p>${typeText(schema)}</p>`}${membersOf(schema)}
  </article>`;
}

/** The members of an object, and of those within it. */
function membersOf(schema: JsonSchema): Markup | string {
  const properties = (schema.properties ?? (schema.items as JsonSchema | undefined)?.properties) as
    | Record<string, JsonSchema>
    | undefined;
  if (!properties) return "";
  const required = (schema.required ?? []) as string[];
  const rows = Object.entries(properties).map(([name, member]) => {
    const optional = required.includes(name) ? "" : html` <small>optional</small>`;
    const says = typeof member.description === "string" ? html` ${withCode(member.description)}` : "";
    return html`<dt><code>${name}</code>${optional}</dt><dd>${typeText(member)}${says}${membersOf(member)}</dd>`;
  });
  return html`<dl>${rows}</dl>`;
}

/** What a member is, in a few words, with links to what has a name. */
function typeText(schema: JsonSchema): Markup {
  const { $ref, enum: values, const: constant, anyOf, allOf, type, items, additionalProperties } = schema;
  if (typeof $ref === "string") {
    const name = $ref.slice($ref.lastIndexOf("/") + 1);
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  if (constant !== undefined) return html`<code>${JSON.stringify(constant)}</code>`;
  if (Array.isArray(values))
    return html`${values.map((value, i) => html`${i === 0 ? "" : " | "}<code>${value}</code>`)}`;
  const several = (anyOf ?? allOf) as JsonSchema[] | undefined;
  if (several) return html`${several.map((each, i) => html`${i === 0 ? "" : " | "}${typeText(each)}`)}`;
  if (type === "array") return html`list of ${typeText((items ?? {}) as JsonSchema)}`;
  if (type === "object" && typeof additionalProperties === "object" && !schema.properties) {
    return html`map to ${typeText(additionalProperties as JsonSchema)}`;
  }
  return html`${typeof type === "string" ? type : "any value"}${boundsText(schema)}`;
}

function boundsText({ minimum, maximum, minLength, maxLength }: JsonSchema): string {
  const [least, most] = [minimum ?? minLength, maximum ?? maxLength];
  if (least === undefined && most === undefined) return "";
  const unit = minLength === undefined && maxLength === undefined ? "" : " characters";
  return ` (${least ?? ""}…${most ?? ""}${unit})`;
}

function exampleText(example: unknown): string {
  return typeof example === "string" ? example : JSON.stringify(example, null, 2);
}

/** Markdown's code spans. */
function withCode(text: string): Markup {
  return html`${text.split("`").map((part, i) => (i % 2 === 0 ? part : html`<code>${part}</code>`))}`;
}
