import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import worker from "../../src/worker.ts";

const deployed = { ...env, ISSUER: "https://auth.example.com" };
const ask = (url: string) => worker.fetch(new Request(url), deployed, createExecutionContext());

it("answers a deployment's requests over https, and none in the clear", async () => {
  expect((await ask("https://auth.example.com/healthz")).status).toBe(200);
  expect((await ask("https://api.example.com/orders")).status).toBe(404);
  for (const url of ["http://auth.example.com/healthz", "http://api.example.com/orders"]) {
    const refused = await ask(url);
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ code: "invalid_target" });
    expect(refused.headers.has("location")).toBe(false);
  }
});
