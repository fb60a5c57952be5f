import { readFileSync } from "node:fs";
import SwaggerParser from "@apidevtools/swagger-parser";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { describeRoutes } from "../../../src/control/described-routes.ts";
import { EVERY_OPERATION } from "../../../src/control/every-operation.ts";
import { openApiDocument } from "../../../src/control/openapi.ts";
import { referencePage } from "../../../src/control/reference-page.ts";
import { type HttpEnv, jsonBody, queryParams, requireScope } from "../../../src/platform/http.ts";
import { json } from "../../../src/platform/operation.ts";
import { contractText } from "../../../tools/contract.ts";
import { describedApp, describeSource } from "../../../tools/described-app.ts";

const document = await describeSource();
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    call: `${method.toUpperCase()} ${path}`,
    operation,
  })),
);

describe("the description of the API", () => {
  it("has every route, and no other", () => {
    const routes = describeRoutes(describedApp().routes).map(({ method, path }) => `${method} ${path}`);
    const described = Object.keys(EVERY_OPERATION);
    const how =
      "Describe it in operations.ts of the route's room (an entry by `METHOD /path`: id, summary, answers with schema " +
      "and example, errors); add a new room's table to src/control/every-operation.ts; then run `npm run api`.";
    expect(
      routes.filter((route) => !described.includes(route)),
      `routes without an operation. ${how}`,
    ).toEqual([]);
    expect(
      described.filter((route) => !routes.includes(route)),
      "operations without a route",
    ).toEqual([]);
  });

  it("is what the typed client was made from", () => {
    const written = readFileSync(
      new URL("../../../src/client/contract.ts", import.meta.url).pathname,
      "utf8",
    );
    expect(contractText(document) === written, "src/client/contract.ts is old: run `npm run api`").toBe(true);
  });

  it("is valid OpenAPI 3.1", async () => {
    const copy = structuredClone(document) as never;
    await expect(SwaggerParser.validate(copy)).resolves.toMatchObject({ openapi: "3.1.1" });
    const broken = structuredClone(document) as never as {
      paths: { "/v1/policy": { get: { responses?: object } } };
    };
    broken.paths["/v1/policy"].get.responses = [] as object;
    await expect(SwaggerParser.validate(broken as never)).rejects.toThrow();
  });

  it("names each operation once, and refers to what is there only", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z][A-Za-z]*\.[a-z][A-Za-z]*$/);
    for (const [, kind, name] of JSON.stringify(document).matchAll(/"#\/components\/(\w+)\/([\w-]+)"/g)) {
      expect(document.components[kind!], `${kind}/${name}`).toHaveProperty(name!);
    }
  });

  it.each(operations)("has examples of $call that fit their schemas", ({ operation }) => {
    const { requestBody, responses } = operation;
    const contents = [
      requestBody?.content ?? {},
      ...Object.values(responses).map(({ content = {} }) => content),
    ];
    for (const [media, { schema, example }] of contents.flatMap((content) => Object.entries(content))) {
      if (schema === undefined) continue;
      expect(example, `${media} without an example`).toBeDefined();
      const values = media === "application/x-ndjson" ? ndjson(String(example)) : [example];
      for (const value of values) expect(faultsOf(schema, value)).toEqual([]);
    }
  });

  it("is held against examples that could fail to fit", () => {
    const { content = {} } = document.paths["/v1/keys"]!.get!.responses[200]!;
    const [{ schema = {}, example }] = Object.values(content) as [
      { schema?: object; example: { items: object[] } },
    ];
    expect(faultsOf(schema, example)).toEqual([]);
    expect(faultsOf(schema, { items: [{ ...example.items[0], secret: "x" }] })).toHaveLength(1);
    expect(faultsOf(schema, { items: [{ ...example.items[0], kid: 1 }] })).toHaveLength(1);
  });

  it("says of a call what its middleware demands", () => {
    const { post } = document.paths["/v1/access-requests"]!;
    expect(post?.security).toEqual([{ oauth: ["requests:create"] }]);
    expect(post?.["x-problems"]).toEqual(
      expect.arrayContaining(["invalid_token", "insufficient_scope", "invalid_body"]),
    );
    const body = document.components.schemas?.AccessRequestsCreateBody;
    expect(body).toMatchObject({
      required: ["resource", "scope", "justification"],
      additionalProperties: false,
    });
    const { get } = document.paths["/v1/grants"]!;
    expect(get?.security).toEqual([{ oauth: ["grants:read"] }, { oauth: ["requests:read"] }]);
    expect(get?.parameters?.map(({ name }) => name)).toEqual([
      "state",
      "resource",
      "subject",
      "limit",
      "cursor",
    ]);
    expect(document.paths["/healthz"]?.get?.security).toEqual([]);
    expect(document.paths["/v1/clients/{id}"]?.delete?.security).toEqual([{ oauth: ["clients:write"] }]);
  });
});

describe("describing routes", () => {
  it("takes scope, query and body from the middleware, wherever it stands", () => {
    const app = new Hono<HttpEnv>()
      .get("/open", (c) => c.text(""))
      .use("/things/*", requireScope("things:write"))
      .post(
        "/things/:id",
        queryParams(z.strictObject({ loud: z.string() })),
        jsonBody(z.strictObject({ a: z.string() })),
        (c) => c.text(""),
      );
    const routes = describeRoutes(app.routes);
    expect(routes.map(({ method, path }) => `${method} ${path}`)).toEqual(["GET /open", "POST /things/:id"]);
    expect(routes[0]?.demand).toEqual({});
    const operation = {
      id: "things.put",
      summary: "Put",
      answers: { 200: json("Done.", z.strictObject({}), {}) },
    };
    const { paths, components } = openApiDocument("https://x.example", routes, {
      "POST /things/:id": operation,
    });
    expect(paths["/things/{id}"]?.post).toMatchObject({
      security: [{ oauth: ["things:write"] }],
      parameters: [
        { name: "id", in: "path", required: true },
        { name: "loud", in: "query", required: true },
      ],
      requestBody: {
        required: true,
        content: { "application/json": { schema: { $ref: "#/components/schemas/ThingsPutBody" } } },
      },
    });
    expect(components.schemas?.ThingsPutBody).toMatchObject({ properties: { a: { type: "string" } } });
    expect(paths).not.toHaveProperty("/open");
  });
});

describe("the reference page", async () => {
  const page = String(await referencePage(document, "n0nce"));

  it("shows every operation and schema, and every link leads somewhere", () => {
    for (const { operation } of operations) expect(page).toContain(`<article id="${operation.operationId}">`);
    const ids = new Set(Array.from(page.matchAll(/ id="([^"]+)"/g), ([, id]) => id));
    for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) expect(ids, target).toContain(target);
  });

  it("runs nothing, fetches nothing, and styles by the nonce alone", () => {
    expect(page).not.toMatch(/<script|<link|<img|<iframe| on\w+=| style=|@import|url\(/i);
    expect(page.match(/<style[^>]*>/g)).toEqual(['<style nonce="n0nce">']);
    // A style is no text: what is escaped in it is lost.
    expect(/<style[^>]*>([\s\S]*?)<\/style>/.exec(page)?.[1]).not.toContain("&");
  });

  it("shows what a description says as text", async () => {
    const hostile = structuredClone(document);
    hostile.paths["/healthz"]!.get!.description = "<script>alert(1)</script>";
    expect(String(await referencePage(hostile, "n"))).toContain("&lt;script&gt;");
  });
});

function ndjson(text: string): unknown[] {
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** What is wrong with a value by a schema of the document. */
function faultsOf(schema: object, value: unknown): string[] {
  const whole = JSON.parse(
    JSON.stringify({ ...schema, $defs: document.components.schemas }).replaceAll(
      "#/components/schemas/",
      "#/$defs/",
    ),
  );
  const parsed = z.fromJSONSchema(whole).safeParse(value);
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
}
