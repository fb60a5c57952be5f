import { Hono } from "hono";
import { pageHeaders } from "../platform/html-page.ts";
import type { HttpEnv } from "../platform/http.ts";
import { newSecret } from "../platform/ids.ts";
import { describeRoutes, type ListedRoute } from "./described-routes.ts";
import type { OpenApiDocument } from "./openapi-document.ts";

export type ApiDeps = {
  issuer: string;
  /** Every route of the app: known once it is whole. */
  routes(): readonly ListedRoute[];
};

const MAX_AGE = { "cache-control": "public, max-age=300" };

/** The contract itself: `/openapi.json`, and `/reference` for people. What they are made of is loaded when it is asked for. */
export function apiRoutes(deps: ApiDeps) {
  let made: OpenApiDocument | undefined;
  const document = async () => {
    made ??= await describeApi(deps);
    return made;
  };
  return new Hono<HttpEnv>()
    .get("/openapi.json", async (c) => c.json(await document(), 200, MAX_AGE))
    .get("/reference", async (c) => {
      const { referencePage } = await import("./reference-page.ts");
      const nonce = newSecret();
      return c.html(referencePage(await document(), nonce), 200, {
        ...pageHeaders(nonce, { referrer: "no-referrer" }),
      });
    });
}

/** The document of the routes that run here. */
export async function describeApi({ issuer, routes }: ApiDeps): Promise<OpenApiDocument> {
  const [{ openApiDocument }, { EVERY_OPERATION }] = await Promise.all([
    import("./openapi.ts"),
    import("./every-operation.ts"),
  ]);
  return openApiDocument(issuer, describeRoutes(routes()), EVERY_OPERATION);
}
