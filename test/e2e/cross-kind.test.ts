import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ORIGIN_AUDIENCE } from "../../src/local/origin.ts";
import { ask } from "../support/access.ts";
import { bodyOf, type Client, clientToken, type Endpoint } from "../support/deployment.ts";
import { proofOf } from "../support/proof-factory.ts";
import { signed } from "../support/signed-decision.ts";
import { type Stand, standUp } from "../support/stand.ts";
import { newKey, signToken, type TestKey } from "../support/token-factory.ts";

/**
 * Every kind of credential at every place that takes one (RFC 8725 §3.12). A new kind is a line in KINDS, a new
 * place one in PLACES: each pair of them is tried, and passes only where the place names the kind.
 */
const KINDS: Record<string, () => string | Promise<string>> = {
  "access token for the origin": () => clientToken(gate().issuer, client, ORIGIN_AUDIENCE),
  "access token for the control plane": () => clientToken(gate().issuer, client),
  "bound access token": () => boundToken(ORIGIN_AUDIENCE),
  "bound access token for the control plane": () => boundToken(gate().issuer),
  "identity provider's token": () => identityToken("at+jwt"),
  "identity provider's id token": () => identityToken("JWT"),
  "assertion for the origin": () => assertion,
  "client secret": () => client.secret,
  "client id": () => client.id,
  "DPoP proof": () => proof({ url: `${gate().issuer}/things/1`, accessToken: held }),
  "DPoP proof for the token endpoint": () => proof({ url: `${gate().issuer}/oauth/token`, method: "POST" }),
  "webhook signature": () => decision().headers["webhook-signature"]!,
  "webhook secret": () => endpoint.secret,
};

type Kind = keyof typeof KINDS;
type Place = { takes: Kind[]; send(credential: string): Promise<number> };

const PLACES: Record<string, Place> = {
  "Authorization: Bearer at the gate": {
    takes: ["access token for the origin", "identity provider's token"],
    send: (credential) => status("/things/1", { authorization: `Bearer ${credential}` }),
  },
  "Authorization: DPoP at the gate, with a proof for what is sent": {
    takes: ["bound access token"],
    send: async (credential) => {
      const dpop = await proof({ url: `${gate().issuer}/things/1`, accessToken: credential });
      return status("/things/1", { authorization: `DPoP ${credential}`, dpop });
    },
  },
  "DPoP at the gate": {
    takes: ["DPoP proof"],
    send: (credential) => status("/things/1", { authorization: `DPoP ${held}`, dpop: credential }),
  },
  "a cookie at the gate": {
    takes: ["access token for the origin", "identity provider's token"],
    send: (credential) => status("/places/1", { cookie: `__Host-token=${credential}` }),
  },
  "a header at the gate": {
    takes: ["access token for the origin", "identity provider's token"],
    send: (credential) => status("/places/1", { "x-access-token": credential }),
  },
  "a public route": {
    takes: ["access token for the origin", "identity provider's token"],
    send: (credential) => status("/public/1", { authorization: `Bearer ${credential}` }),
  },
  "Authorization: Bearer at the control plane": {
    takes: ["access token for the control plane"],
    send: (credential) => status("/v1/access-requests", { authorization: `Bearer ${credential}` }),
  },
  "Authorization: DPoP at the control plane, with a proof for what is sent": {
    takes: ["bound access token for the control plane"],
    send: async (credential) => {
      const dpop = await proof({ url: `${gate().issuer}/v1/access-requests`, accessToken: credential });
      return status("/v1/access-requests", { authorization: `DPoP ${credential}`, dpop });
    },
  },
  "HTTP Basic at the token endpoint": {
    takes: ["client secret"],
    send: (secret) => tokenStatus({ grant_type: "client_credentials" }, { id: client.id, secret }),
  },
  "client_secret at the token endpoint": {
    takes: ["client secret"],
    send: (secret) =>
      tokenStatus({ grant_type: "client_credentials", client_id: client.id, client_secret: secret }),
  },
  "DPoP at the token endpoint": {
    takes: ["DPoP proof for the token endpoint"],
    send: (dpop) => tokenStatus({ grant_type: "client_credentials" }, client, { dpop }),
  },
  "subject_token at the token endpoint": {
    takes: ["identity provider's token"],
    send: async (credential) => (await gate().exchange(exchanger, credential)).status,
  },
  "webhook-signature of a decision": {
    takes: ["webhook signature"],
    send: async (credential) => {
      const { headers, body } = decision();
      const answer = await gate().postText("/v1/hooks/decisions", body, {
        ...headers,
        "webhook-signature": credential,
      });
      return answer.status;
    },
  },
};

let stand: Stand;
let client: Client;
let exchanger: Client;
let endpoint: Endpoint;
let idp: TestKey;
let key: TestKey;
let pending: string;
let assertion: string;
/** A bound token whose proofs are tried. */
let held: string;
const IDP = "https://cross-kind.example.com";
const signedAt = Math.floor(Date.now() / 1000);
const gate = () => stand.gate;

beforeAll(async () => {
  [idp, key] = await Promise.all([newKey("ES256", "idp-1"), newKey("ES256", "sender")]);
  const trusted = {
    id: "cross-kind",
    issuer: IDP,
    jwks: { keys: [idp.jwk] },
    algorithms: ["ES256"],
    audience: "portcullis",
    token_types: ["at+jwt"],
  };
  const open = { origin: "demo", access: {} };
  const credential = [
    { from: "cookie", name: "__Host-token" },
    { from: "header", name: "x-access-token" },
  ];
  stand = await standUp((policy) => ({
    ...policy,
    issuers: [...policy.issuers, trusted],
    routes: [
      ...policy.routes,
      { ...open, id: "things", path: "/things/**" },
      { ...open, id: "places", path: "/places/**", credential },
    ],
  }));
  client = await gate().newClient({ scopes: ["requests:read"] });
  exchanger = await gate().newExchangeClient(["requests:read"]);
  const reviews_as = { roles: ["approver"], subjects: ["bob"] };
  endpoint = await gate().newEndpoint({ url: stand.origin.url, reviews_as });
  pending = (await ask(gate(), stand.requester.token)).id;
  held = await boundToken(ORIGIN_AUDIENCE);
  await status("/things/1", {
    authorization: `Bearer ${await clientToken(gate().issuer, client, ORIGIN_AUDIENCE)}`,
  });
  const sent = stand.origin.received.at(-1)!.headers;
  assertion = sent.find(([name]) => name.toLowerCase() === "x-portcullis-assertion")![1];
});

afterAll(() => stand?.stop());

async function status(path: string, headers: Record<string, string>): Promise<number> {
  return (await gate().call(path, { headers })).status;
}

async function tokenStatus(form: Record<string, string>, as?: Client, headers = {}): Promise<number> {
  return (await gate().call("/oauth/token", { form, headers, ...(as ? { client: as } : {}) })).status;
}

function proof(of: { url: string; method?: string; accessToken?: string }): Promise<string> {
  return proofOf(key, { nowSeconds: Math.floor(Date.now() / 1000), ...of });
}

async function boundToken(audience: string): Promise<string> {
  const dpop = await proof({ url: `${gate().issuer}/oauth/token`, method: "POST" });
  const form = { grant_type: "client_credentials", audience };
  const answer = await gate().call("/oauth/token", { client, form, headers: { dpop } });
  return bodyOf<{ access_token: string }>(answer, 200).access_token;
}

function identityToken(typ: string): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: IDP, sub: "alice", aud: "portcullis", iat: now, exp: now + 300 };
  return signToken(idp, { alg: "ES256", typ, kid: "idp-1" }, claims);
}

/** The same message each time: a repeat of it changes nothing. */
function decision() {
  const data = { access_request_id: pending, approver: "bob", outcome: "approve" };
  const body = JSON.stringify({ type: "access_request.review", data });
  return { headers: signed(endpoint.secret, "msg_cross_kind", signedAt, body), body };
}

describe("every kind of credential", () => {
  it.each(Object.entries(PLACES))("passes only where it belongs: %s", async (_name, { takes, send }) => {
    const passed: string[] = [];
    const faults: string[] = [];
    for (const [kind, make] of Object.entries(KINDS)) {
      const answered = await send(await make());
      if (answered < 300) passed.push(kind);
      if (answered >= 500) faults.push(`${kind}: ${answered}`);
    }
    expect(passed).toEqual(Object.keys(KINDS).filter((kind) => takes.includes(kind)));
    expect(takes.filter((kind) => !Object.hasOwn(KINDS, kind))).toEqual([]);
    expect(faults).toEqual([]);
  });
});
