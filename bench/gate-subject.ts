import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { call, textOf } from "../src/local/http-call.ts";
import type { DeniedFilter } from "../src/revocation/filter.ts";
import { encodePart } from "../src/revocation/filter-part.ts";
import { startKv } from "./backstage.ts";
import { buildFilter } from "./denied.ts";
import { AUDIENCE, type BenchIssuer, ISSUER } from "./tokens.ts";
import { type Running, type ServedWorker, serve } from "./workerd.ts";

const OPERATOR_SECRET = "b3BlcmF0b3Itc2VjcmV0LW9ubHktZm9yLXRlc3RzLTAx";
const SECRET = "YmVuY2gtc2VjcmV0LW9ubHktZm9yLXRoZS1iZW5jaC0wMQ";

/** The Durable Object classes by binding, as they are deployed. */
export function deployedObjects(): Record<string, string> {
  const config = readFileSync(new URL("../wrangler.toml", import.meta.url).pathname, "utf8");
  const bindings = config.matchAll(/^name = "(\w+)"\nclass_name = "(\w+)"$/gm);
  return Object.fromEntries([...bindings].map(([, binding, className]) => [binding!, className!]));
}

/** The gate as it is deployed, with a policy and so many denied tokens. */
export type GateSubject = Running & {
  restart(): Promise<Running>;
  /** Whether the filter suspects a token that is not denied. */
  suspects(jti: string): boolean;
  close(): void;
};

export async function startGate(options: {
  folder: string;
  port: number;
  origin: string;
  issuer: BenchIssuer;
  denied: number;
}): Promise<GateSubject> {
  const { folder, port, origin, issuer, denied } = options;
  const values = new Map<string, Buffer>();
  const kv = await startKv(values);
  const worker: ServedWorker = {
    name: "gate",
    folder,
    script: "worker.js",
    port,
    vars: {
      ISSUER: `http://127.0.0.1:${port}`,
      PORTCULLIS_SECRET: SECRET,
      PORTCULLIS_OPERATOR_SECRET: OPERATOR_SECRET,
    },
    kvPort: kv.port,
    objects: deployedObjects(),
    beside: { script: "backdoor.js", port: port + 1 },
  };
  let running = await serve(worker);
  const operator = await operatorToken(running.url);
  await putPolicy(running.url, operator, policyOf(origin, issuer));
  const filter = denied > 0 ? await publishFilter(denied, values, `http://127.0.0.1:${port + 1}`) : undefined;
  return {
    ...running,
    // A full run lasts longer than a token.
    cacheReading: async () => cacheReading(running.url, await operatorToken(running.url)),
    suspects: (jti) => filter?.mayContain(jti) ?? false,
    restart: async () => {
      await running.stop();
      running = await serve(worker);
      return running;
    },
    stop: () => running.stop(),
    close: () => kv.close(),
  };
}

/** Routes, scopes, roles and identity headers as an ordinary API has them. */
function policyOf(origin: string, issuer: BenchIssuer) {
  const access = { scopes: ["orders:read"], roles: ["developer", "admin"] };
  const more = { origin: "orders", access, identity_headers: ["subject", "scope"] };
  const others = Array.from({ length: 100 }, (_, i) => ({
    ...{ ...more, id: `other-${i}`, path: `/service-${i}/:id/items` },
  }));
  return {
    issuers: [
      {
        ...{ id: "staff", issuer: ISSUER, jwks: issuer.jwks(), audience: AUDIENCE },
        algorithms: ["ES256", "RS256", "EdDSA"],
        claims: { roles: "roles", scopes: "scope" },
      },
    ],
    origins: { orders: { url: origin, audience: "https://orders.internal" } },
    routes: [
      ...others,
      { ...more, id: "order", path: "/orders/:id", methods: ["GET", "PUT"] },
      { ...more, id: "order-strict", path: "/strict/:id", consistency: { tier: "strict" } },
    ],
  };
}

async function operatorToken(url: string): Promise<string> {
  const answer = await call(`${url}/oauth/token`, {
    client: { id: "operator", secret: OPERATOR_SECRET },
    form: { grant_type: "client_credentials" },
  });
  return textOf(answer.body, "access_token") ?? "";
}

async function cacheReading(url: string, operator: string): Promise<{ hits: number; misses: number }> {
  // Isolates tell what they counted within two seconds.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${operator}` } });
  const text = await answer.text();
  const value = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
  return {
    hits: value("portcullis_token_cache_hits_total"),
    misses: value("portcullis_token_cache_misses_total"),
  };
}

async function putPolicy(url: string, token: string, document: object): Promise<void> {
  const put = await call(`${url}/v1/policy`, {
    method: "PUT",
    token,
    headers: { "if-match": '"0"' },
    json: document,
  });
  if (put.status !== 200) throw new Error(`the policy was not taken: ${JSON.stringify(put.body)}`);
}

/** The parts go where the object would put them, the manifest where it would hand it over. */
async function publishFilter(
  count: number,
  kv: Map<string, Buffer>,
  backdoor: string,
): Promise<DeniedFilter> {
  const { filter, parts, bits } = buildFilter(count);
  const refs = parts.map((part, partition) => {
    const bytes = encodePart(part);
    kv.set(`filter:${part.build}`, Buffer.from(bytes));
    const digest = createHash("sha256").update(bytes).digest("hex");
    return { partition, build: part.build, count: Math.round(count / parts.length), digest };
  });
  const answer = await call(backdoor, { json: { bits, parts: refs } });
  if (answer.status !== 200) throw new Error(`the filter was not taken: ${JSON.stringify(answer.body)}`);
  return filter;
}
