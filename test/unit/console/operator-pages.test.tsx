import { describe, expect, it } from "vitest";
import type { RevocationsCreateBody } from "../../../src/client/contract.ts";
import { filledFrom } from "../../../src/console/client-editing.ts";
import { ClientPage, ClientSecret, ConfirmClientAct } from "../../../src/console/client-page.tsx";
import { ClientsPage } from "../../../src/console/clients-page.tsx";
import { ConfirmClientEdit, EditClient } from "../../../src/console/edit-client.tsx";
import { ConfirmEndpointEdit, EditEndpoint } from "../../../src/console/edit-endpoint.tsx";
import { ConfirmEndpointAct } from "../../../src/console/endpoint-act.tsx";
import { endpointFilled } from "../../../src/console/endpoint-editing.ts";
import { GrantPage, RevokeGrant } from "../../../src/console/grant-page.tsx";
import { windowOf } from "../../../src/console/grants-chart.tsx";
import { GrantsPage } from "../../../src/console/grants-page.tsx";
import { KeyReplaced, KeysPage, ReplaceKey, RotateKeys } from "../../../src/console/keys-page.tsx";
import { ClientForm, readClient } from "../../../src/console/new-client.tsx";
import { EndpointForm } from "../../../src/console/new-endpoint.tsx";
import { ConfirmRevocation, RevocationForm } from "../../../src/console/new-revocation.tsx";
import type {
  ClientView,
  DeliveryView,
  DryRunView,
  KeyView,
  PolicyCheckView,
  PropagationView,
  RevocationView,
} from "../../../src/console/operator-wire.ts";
import { page } from "../../../src/console/page.tsx";
import { PolicyChange } from "../../../src/console/policy-change.tsx";
import { PolicyEditor, PolicyPage, PolicyVersionPage } from "../../../src/console/policy-page.tsx";
import { PropagationPage } from "../../../src/console/propagation-page.tsx";
import { Propagation, tiersLeft } from "../../../src/console/receipt.tsx";
import { ConfirmProposal, LiftRevocation, RevocationPage } from "../../../src/console/revocation-page.tsx";
import { effectText, ruleText } from "../../../src/console/revocation-words.ts";
import { RevocationsPage } from "../../../src/console/revocations-page.tsx";
import { readRevocation } from "../../../src/console/revoking.ts";
import { SendAgain } from "../../../src/console/send-again.tsx";
import { SlackForm } from "../../../src/console/slack-form.tsx";
import { EndpointSecret, WebhookPage } from "../../../src/console/webhook-page.tsx";
import { WebhooksPage } from "../../../src/console/webhooks-page.tsx";
import { problem } from "../../../src/protocol/problem.ts";
import { addresses, HOSTILE, skeleton } from "./hostile.ts";
import { NOW, sampleGrant, VISITOR } from "./samples.ts";

const RECEIPT = {
  ...{ id: "rev_1", seq: 7, accepted_at: NOW - 1.5 },
  effective_by: { strict: NOW - 1.5, bounded: NOW + 0.5, eventual: NOW + 58.5 },
};

function sampleRevocation(members: Partial<RevocationView> = {}): RevocationView {
  const base = { id: "rev_1", match: { sub: "corp|mallory" }, reason: "laptop stolen", actor: "corp|olivia" };
  const history: RevocationView["history"] = [{ event: "created", at: NOW, actor: "corp|olivia" }];
  return { ...base, created_at: NOW, state: "in_force", seq: 7, history, receipt: RECEIPT, ...members };
}

function sampleDryRun(tokens: number, members: Partial<DryRunView> = {}): DryRunView {
  const sample = { jti: "tok_1", sub: "corp|mallory", client_id: "cli_1", grant: "grt_1", exp: NOW + 60 };
  const would_cut = { tokens, grants: 1, subjects: 1, clients: 2 };
  return { dry_run: true, would_cut, exact: true, sample: tokens > 0 ? [sample] : [], ...members };
}

function sampleClient(members: Partial<ClientView> = {}): ClientView {
  return {
    ...{ id: "cli_1", name: "deployer", auth_method: "client_secret", grant_types: ["client_credentials"] },
    ...{ scopes: ["orders:read"], roles: [], created_at: NOW, created_by: "corp|olivia", disabled: false },
    revision: 1,
    ...members,
  };
}

const NONE_LEFT = { waiting: { count: 0, exact: true }, givenUp: { count: 200, exact: false } };

const html = async (children: object) => String(await children);

/** Every page of the operators', with this text wherever somebody else's text goes. */
async function render(text: string): Promise<string> {
  // Also where the contract has words of its own.
  const word = text as never;
  const visitor = { ...VISITOR, scopes: new Set(["revocations:write"]), subject: "corp|me" };
  const grant = sampleGrant({ id: text, subject: text, resource: text, access_request: text });
  const revoked = {
    ...grant,
    ...{ state: "revoked" as const, revoked_at: NOW, revoked_by: text, revoke_reason: text },
    revoke_receipt: { ...RECEIPT, id: text },
  };
  const token = { jti: text, sub: text, client_id: text, grant: text, exp: NOW };
  const dryRun = sampleDryRun(1, { sample: [token] });
  const revocation = sampleRevocation({
    ...{ id: text, match: { sub: text, iss: text }, reason: text, actor: text },
    effect: { kind: "shrink_scope", scopes: [text] },
    history: [{ event: "created", at: NOW, actor: text, reason: text }],
    receipt: { ...RECEIPT, id: text },
  });
  const document = { text } as never;
  const waiting = { ...revocation, state: "awaiting_confirmation" as const };
  const body: RevocationsCreateBody = { match: { sub: text }, reason: text };
  const filled = new URLSearchParams({ sub: text, reason: text, scopes: text, effect: "shrink_scope" });
  const refused = problem("invalid_body", text, { faults: [text, text] });
  const query = { state: text, subject: text, resource: text, cursor: text };
  const props = { visitor, now: NOW, version: "v" };
  const key = { kid: text, purpose: word, alg: word, state: "current" as const, created_at: NOW };
  const client = sampleClient({
    ...{ id: text, name: text, auth_method: word, grant_types: [word], scopes: [text], roles: [text] },
    ...{ introspects: [text], jwks_uri: text, created_by: text },
  });
  const endpoint = {
    ...{ id: text, url: text, events: [word], description: text, enabled: true, created_at: NOW },
    ...{ public_keys: [text], revision: 1 },
    reviews_as: { roles: [text], subjects: [text] },
  };
  const slack = {
    ...endpoint,
    slack: { channel: text, approvers: { U024BE7LH: { subject: text, roles: [text] } } },
  };
  const filledEndpoint = endpointFilled(slack);
  const delivery = {
    ...{ id: text, event_id: text, event_type: word, state: "dead_letter" as const, created_at: NOW },
    dead_reason: word,
    attempts: [{ number: 1, at: NOW, duration_seconds: 0.5, status: 500, error: word }],
  };
  const change: PolicyCheckView = {
    ...{ valid: true, active_version: 3, warnings: [text], document },
    changes: { roles: { added: [text], removed: [text], changed: [text], reordered: true } },
    simulation: {
      asks: [],
      replayed: 1,
      decided_otherwise: [
        {
          id: text,
          requester: text,
          resource: text,
          scope: "x",
          created_at: NOW,
          was: "approved",
          would_be: "refused",
          detail: text,
        },
      ],
    },
  };
  const children = (
    <>
      <GrantsPage {...props} grants={[grant, revoked]} query={query} next={text} />
      <GrantPage {...props} grant={revoked} mayRevoke={true} />
      <RevokeGrant {...props} grant={grant} dryRun={dryRun} />
      <RevocationsPage
        {...props}
        items={[revocation, waiting]}
        query={{ state: text, q: text, cursor: text }}
        next={text}
        searched={2}
        mayRevoke={true}
      />
      <RevocationForm visitor={visitor} filled={filled} problem={refused} />
      <ConfirmRevocation {...props} body={body} dryRun={dryRun} nonce={text} confirmAbove={1} />
      <RevocationPage {...props} revocation={revocation} />
      <RevocationPage {...props} revocation={waiting} />
      <ConfirmProposal {...props} revocation={waiting} dryRun={dryRun} problem={refused} />
      <LiftRevocation {...props} revocation={revocation} />
      <PolicyPage
        {...props}
        policy={{ version: 3, document }}
        versions={[
          { version: 3, created_at: NOW, created_by: text, active: true },
          { version: 2, created_at: NOW, created_by: text, active: false },
        ]}
        mayWrite={true}
        cursor={text}
        next={text}
      />
      <PolicyEditor text={text} version={3} mayReplay={true} visitor={visitor} problem={refused} />
      <PolicyChange
        {...{ check: change, visitor, inForce: { text: `${text} before` } }}
        wanted={{ document, over: 3 }}
      />
      <PolicyVersionPage document={document} />
      <ClientsPage clients={[client]} cursor={text} next={text} now={NOW} />
      <ClientPage {...props} client={client} />
      <ClientPage {...props} client={{ ...client, disabled: true }} />
      <ClientSecret client={{ ...client, client_secret: text }} issuer={text} />
      <ConfirmClientAct {...props} client={client} act="delete" dryRun={dryRun} />
      <ClientForm visitor={visitor} nonce={text} filled={filled} problem={refused} />
      <EditClient client={client} visitor={visitor} filled={filledFrom(client)} problem={refused} />
      <ConfirmClientEdit
        client={client}
        patch={{ name: `${text} now`, jwks_uri: text, scopes: ["x"] }}
        visitor={visitor}
        mayRevoke={true}
      />
      <WebhooksPage endpoints={[endpoint]} mayWrite={true} cursor={text} next={text} now={NOW} />
      <EndpointForm visitor={visitor} nonce={text} filled={filled} problem={refused} />
      <WebhookPage
        {...props}
        visitor={{ ...visitor, scopes: new Set(["webhooks:write"]) }}
        endpoint={endpoint}
        deliveries={[delivery]}
        query={{ state: text, cursor: text }}
        next={text}
      />
      <WebhookPage
        {...props}
        endpoint={slack}
        deliveries={[]}
        query={{ state: undefined, cursor: undefined }}
        next={undefined}
      />
      <EditEndpoint endpoint={slack} visitor={visitor} filled={filledEndpoint} problem={refused} />
      <ConfirmEndpointEdit
        endpoint={endpoint}
        patch={{ url: `${text} now`, description: null }}
        visitor={visitor}
      />
      <SlackForm visitor={visitor} filled={filledEndpoint} problem={refused} nonce={text} />
      <SlackForm visitor={visitor} filled={filledEndpoint} problem={undefined} endpoint={slack} />
      <SendAgain
        {...{ endpoint, visitor, period: "3600", since: NOW, now: NOW }}
        counted={{ redelivered: 2, remaining: 1 }}
      />
      <EndpointSecret endpoint={{ ...endpoint, secret: text }} />
      <ConfirmEndpointAct {...props} {...NONE_LEFT} endpoint={endpoint} act="delete" />
      <KeyReplaced receipt={{ ...RECEIPT, id: text }} now={NOW} />
      <KeysPage keys={[key, { ...key, state: "next", signs_from: NOW }]} alarms={[text]} now={NOW} />
      <RotateKeys {...props} keys={[{ ...key, state: "next" }]} nonce={text} />
      <ReplaceKey {...props} signingKey={key} dryRun={dryRun} nonce={text} />
    </>
  );
  return html(page({ title: text, visitor, now: NOW, children }));
}

describe("text of others", () => {
  it.each(HOSTILE)("changes nothing of the operators' pages but their text: %j", async (text) => {
    const [benign, hostile] = [await render("plain"), await render(text)];
    expect(skeleton(hostile)).toEqual(skeleton(benign));
    expect(skeleton(benign).length).toBeGreaterThan(300);
    for (const each of addresses(hostile))
      expect(each).toMatch(/^(?:\/console(?:\/|\?|$)|\/session\/sign-out$|#main$)/);
  });
});

describe("the picture of grants", () => {
  it("holds each from its beginning to its end, and now", () => {
    const grants = [sampleGrant({ access_start: NOW - 900, access_expiry: NOW - 300 })];
    const { from, until } = windowOf(grants, NOW);
    expect(from).toBeLessThan(NOW - 900);
    expect(until).toBeGreaterThan(NOW);
  });

  it("draws a bar and the rest that a revocation cut off, within its frame", async () => {
    const cut = sampleGrant({ state: "revoked", access_start: NOW - 300, access_expiry: NOW + 300 });
    const query = { state: undefined, subject: undefined, resource: undefined, cursor: undefined };
    const props = { now: NOW, version: "v", query, next: undefined };
    const drawn = await html(<GrantsPage {...props} grants={[{ ...cut, revoked_at: NOW - 100 }]} />);
    const widths = Array.from(drawn.matchAll(/<rect class="bar ([a-z]+)"[^>]* width="([\d.]+)%"/g));
    const [rest, bar] = widths.map(([, , width]) => Number(width));
    expect(widths.map(([, tone]) => tone)).toEqual(["rest", "bad"]);
    expect(bar! / rest!).toBeCloseTo(1 / 3, 2);
    expect(rest).toBeLessThanOrEqual(100);
  });
});

describe("a receipt", () => {
  it.each([
    // The second in which it was accepted: `now` has no fraction.
    [NOW - 2, 2],
    [NOW, 2],
    [NOW + 1, 1],
    [NOW + 58, 1],
    [NOW + 59, 0],
  ])("holds tier by tier as time passes", (now, left) => {
    expect(tiersLeft(RECEIPT, now)).toBe(left);
  });

  it("is never said to hold before it does", async () => {
    const at = (now: number) => html(<Propagation receipt={RECEIPT} now={now} />);
    expect(await at(NOW)).toContain("In force on 1 of 3");
    expect(await at(NOW + 58)).toContain("In force on 2 of 3");
    expect(await at(NOW + 58)).toMatch(/data-until="\d+" data-over="in force">1 s left/);
    expect(await at(NOW + 59)).toContain("In force everywhere");
  });
});

describe("the form for a revocation", () => {
  const read = (fields: Record<string, string>) => readRevocation(new URLSearchParams(fields), NOW);
  const why = { reason: "left" };

  it.each<[string, Record<string, string>, object]>([
    ["one claim", { sub: " corp|a ", ...why }, { match: { sub: "corp|a" }, reason: "left" }],
    [
      "several, all of which must hold",
      { client_id: "cli_1", kid: "k", ...why },
      { match: { client_id: "cli_1", kid: "k" }, reason: "left" },
    ],
    ["a moment alone", { issued_before: "now", ...why }, { match: {}, issued_before: NOW, reason: "left" }],
    [
      "a moment in UTC",
      { sub: "a", issued_before: "2026-11-22T14:30", ...why },
      { match: { sub: "a" }, issued_before: 1_795_357_800, reason: "left" },
    ],
    [
      "an address for a while",
      { address: "203.0.113.7", lasts: "8 h", ...why },
      { match: { address: "203.0.113.7" }, reason: "left", expires_at: NOW + 28_800 },
    ],
    [
      "a new sign-in",
      { sub: "a", effect: "step_up", signed_in_since: "now", acr_values: "mfa phr", ...why },
      {
        match: { sub: "a" },
        effect: { kind: "step_up", acr_values: ["mfa", "phr"], signed_in_since: NOW },
        reason: "left",
      },
    ],
    [
      "fewer scopes, in an emergency",
      { sub: "a", effect: "shrink_scope", scopes: "x, y", emergency: "true", ...why },
      {
        match: { sub: "a" },
        effect: { kind: "shrink_scope", scopes: ["x", "y"] },
        reason: "left",
        emergency: true,
      },
    ],
  ])("takes %s", (_what, fields, body) => {
    expect(read(fields)).toEqual({ ok: true, value: body });
  });

  it.each<[string, Record<string, string>]>([
    ["no claim and no moment", why],
    ["no reason", { sub: "a" }],
    ["a moment in other words", { sub: "a", issued_before: "yesterday", ...why }],
    ["a length without a unit", { sub: "a", lasts: "8", ...why }],
    ["scopes that are not named", { sub: "a", effect: "shrink_scope", scopes: " ", ...why }],
    ["another effect", { sub: "a", effect: "delete", ...why }],
  ])("refuses %s", (_what, fields) => {
    expect(read(fields)).toMatchObject({ ok: false, error: { code: "invalid_body" } });
  });
});

describe("before a revocation is made", () => {
  const confirm = (body: Partial<RevocationsCreateBody>, tokens: number, confirmAbove?: number) =>
    html(
      <ConfirmRevocation
        body={{ match: { sub: "corp|mallory" }, reason: "stolen", ...body }}
        dryRun={sampleDryRun(tokens)}
        nonce="n"
        confirmAbove={confirmAbove}
        visitor={VISITOR}
        now={NOW}
      />,
    );

  it("says what it cuts, and whether it waits for a second person", async () => {
    expect(await confirm({}, 12, 12)).toContain("Cuts 12 live tokens of 1 subject, 1 grant, 2 clients");
    expect(await confirm({}, 12, 12)).toMatch(/>\s*Revoke\s*</);
    expect(await confirm({}, 13, 12)).toContain("Propose the revocation");
    expect(await confirm({ emergency: true }, 13, 12)).toContain("Revoke now, without a second person");
    expect(await confirm({ match: { jti: "tok_1" } }, 13, 12)).not.toContain("another person");
    expect(await confirm({}, 13)).toContain("more than the policy lets one person cut");
  });

  it("counts no requests from an address", async () => {
    const text = await confirm({ match: { address: "203.0.113.7" } }, 0);
    expect(text).toContain("Every request from there is refused");
    expect(text).not.toContain("Cuts no live token");
  });
});

describe("a rule in words", () => {
  it.each([
    [{ match: { sub: "a" } }, "tokens of subject a"],
    [{ match: { client_id: "c", kid: "k" } }, "tokens of client c and signing key k"],
    [{ match: {}, issued_before: NOW }, "every token issued before 22 Nov 2026 05:26 UTC"],
    [{ match: { address: "203.0.113.7" } }, "every request from address 203.0.113.7"],
  ])("%j", (rule, words) => {
    expect(ruleText(rule)).toBe(words);
  });

  it("says what becomes of the tokens", () => {
    expect(effectText(undefined)).toBe("refused");
    expect(effectText({ kind: "shrink_scope", scopes: ["a", "b"] })).toBe("count without a, b");
    expect(effectText({ kind: "step_up", acr_values: ["mfa"] })).toBe("need a new sign-in by mfa");
  });
});

describe("who may do what to a revocation", () => {
  const shown = (members: Partial<RevocationView>, subject: string, scopes = ["revocations:write"]) => {
    const visitor = { ...VISITOR, subject, scopes: new Set(scopes) };
    const props = { revocation: sampleRevocation(members), visitor, now: NOW, version: "v" };
    return html(<RevocationPage {...props} />);
  };
  const waits = { state: "awaiting_confirmation" as const };

  it("offers the second person to confirm, and the first only to give it up", async () => {
    expect(await shown(waits, "corp|bob")).toContain("/rev_1/confirm");
    const own = await shown(waits, "corp|olivia");
    expect(own).not.toContain("/rev_1/confirm");
    expect(own).toContain("/rev_1/lift");
  });

  it("offers a lift of what is in force, and nothing to who only reads, or of what is over", async () => {
    expect(await shown({}, "corp|bob")).toContain("/rev_1/lift");
    expect(await shown({}, "corp|bob", ["revocations:read"])).not.toContain("/rev_1/lift");
    expect(await shown({ state: "lifted" }, "corp|bob")).not.toContain("/rev_1/lift");
  });
});

describe("a search among revocations", () => {
  const shown = (members: Partial<Parameters<typeof RevocationsPage>[0]>) => {
    const query = { state: undefined, q: "corp", cursor: undefined };
    const props = { items: [], next: undefined, searched: undefined, now: NOW, query, mayRevoke: false };
    return html(<RevocationsPage {...props} {...members} />);
  };

  it("says among how many it found them, and whether that is all", async () => {
    expect(await shown({ searched: 2_000, next: "c" })).toMatch(/0 found among 2,000 .*next page looks/s);
    expect(await shown({ searched: 7, items: [sampleRevocation()] })).toMatch(
      /1 found among 7 .*all of them/s,
    );
    expect(await shown({ items: [sampleRevocation()] })).not.toContain("found among");
  });
});

describe("keys", () => {
  const key = (members: Partial<KeyView>): KeyView => ({
    ...{ kid: "k1", purpose: "access_token", alg: "ES256", state: "current", created_at: NOW - 86_400 },
    ...members,
  });
  const shown = (keys: KeyView[], alarms: string[] = []) =>
    html(<KeysPage keys={keys} alarms={alarms} now={NOW} />);

  it("count down to the next one, and say where it is overdue", async () => {
    const next = (signs_from: number) => shown([key({}), key({ kid: "k2", state: "next", signs_from })]);
    expect(await next(NOW + 3_600)).toContain("1 h left");
    expect(await next(NOW - 30)).toContain(">due now<");
    expect(await next(NOW - 61)).toContain(">overdue<");
    expect(await shown([key({})])).not.toContain("Next key signs");
    expect(await shown([key({})], ["The key should have been replaced."])).toContain('role="alert"');
    expect(await shown([key({})])).not.toContain('role="alert"');
  });

  it("can be replaced where they are still good for something, and are missed where none signs", async () => {
    for (const state of ["current", "next", "previous"] as const)
      expect(await shown([key({ state })])).toContain("/console/keys/k1/replace");
    for (const state of ["retired", "compromised"] as const)
      expect(await shown([key({ state })])).not.toContain("/console/keys/k1/replace");
    expect(await shown([key({ state: "retired" })])).toContain("no key signs");
    expect(await shown([key({})])).not.toContain("no key signs");
  });

  it("say before the replacement what it cuts", async () => {
    const props = { visitor: VISITOR, nonce: "n", now: NOW };
    const access = await html(<ReplaceKey {...props} signingKey={key({})} dryRun={sampleDryRun(12)} />);
    expect(access).toContain("Cuts 12 live tokens");
    const assertion = key({ purpose: "assertion" });
    const text = await html(<ReplaceKey {...props} signingKey={assertion} dryRun={undefined} />);
    expect(text).toContain("Origins must fetch the JWK set anew");
    expect(text).not.toContain("Cuts");
  });
});

describe("clients", () => {
  const read = (fields: [string, string][]) => readClient(new URLSearchParams(fields));
  const itself: [string, string] = ["grant_type", "client_credentials"];

  it("are read from the form", () => {
    expect(read([["name", " deployer "], itself, ["scopes", "a  b"], ["roles", ""]])).toEqual({
      ok: true,
      value: {
        ...{ name: "deployer", grant_types: ["client_credentials"], scopes: ["a", "b"] },
        ...{ roles: [], introspects: [] },
      },
    });
    const keys = read([["name", "x"], itself, ["jwks_uri", "https://x.example/jwks"]]);
    expect(keys).toMatchObject({
      value: { auth_method: "private_key_jwt", jwks_uri: "https://x.example/jwks" },
    });
    for (const lacking of [[["name", ""], itself], [["name", "x"]]] as [string, string][][])
      expect(read(lacking)).toMatchObject({ ok: false, error: { code: "invalid_body" } });
  });

  it("show a secret where it was just made, and say so where it was not", async () => {
    const shown = (members: Partial<ClientView>) =>
      html(<ClientSecret client={sampleClient(members)} issuer="https://gate.example" />);
    expect(await shown({ client_secret: "s3cret" })).toContain("s3cret");
    expect(await shown({})).toContain("This form was sent before");
    expect(await shown({ auth_method: "private_key_jwt" })).toContain("there is no secret");
  });

  it("with keys have no secret to make anew, and a disabled one is not disabled again", async () => {
    const shown = (members: Partial<ClientView>) =>
      html(<ClientPage client={sampleClient(members)} visitor={VISITOR} now={NOW} />);
    expect(await shown({})).toContain("/cli_1/rotate");
    expect(await shown({})).toContain("/cli_1/disable");
    expect(await shown({ auth_method: "private_key_jwt" })).not.toContain("/cli_1/rotate");
    expect(await shown({ disabled: true })).not.toContain("/cli_1/disable");
    expect(await shown({ disabled: true })).toContain("/cli_1/enable");
  });
});

describe("a webhook endpoint", () => {
  const endpoint = {
    ...{ id: "whe_1", url: "https://x.example/hook", events: ["*" as const], enabled: true, created_at: NOW },
    revision: 3,
  };
  const delivery = (members: Partial<DeliveryView>): DeliveryView => ({
    ...{ id: "dlv_1", event_id: "evt_1", event_type: "grant.revoked", state: "delivered" },
    ...{ created_at: NOW, attempts: [] },
    ...members,
  });
  const shown = (deliveries: DeliveryView[], scopes = ["webhooks:write"]) => {
    const visitor = { ...VISITOR, scopes: new Set(scopes) };
    const props = { endpoint, deliveries, visitor, now: NOW, version: "v" };
    const query = { state: undefined, cursor: undefined };
    return html(<WebhookPage {...props} query={query} next={undefined} />);
  };

  it("shows every attempt, and when the next is due", async () => {
    const attempts = [
      { number: 1, at: NOW, duration_seconds: 0.25, status: 503, error: "http_status" as const },
    ];
    const text = await shown([delivery({ state: "pending", attempts, next_attempt_at: NOW + 5 })]);
    expect(text).toContain("503, http status");
    expect(text).toContain("250 ms");
    expect(text).toContain("in 5 s");
  });

  it("is sent again what is over, by who may", async () => {
    expect(await shown([delivery({})])).toContain("Send again");
    expect(await shown([delivery({ state: "dead_letter" })])).toContain("Send again");
    expect(await shown([delivery({ state: "pending" })])).not.toContain("Send again");
    expect(await shown([delivery({})], ["webhooks:read"])).not.toContain("Send");
  });

  it("that is paused or deleted says how much will not be sent", async () => {
    const says = (act: "pause" | "delete", waiting: number, givenUp = NONE_LEFT.givenUp) => {
      const props = { endpoint, act, waiting: { count: waiting, exact: true }, givenUp };
      return html(<ConfirmEndpointAct {...props} visitor={VISITOR} now={NOW} />);
    };
    expect(await says("pause", 0)).toContain("Nothing waits to be sent.");
    expect(await says("pause", 12)).toContain("12 deliveries that wait; each becomes a dead letter");
    expect(await says("delete", 1)).toContain("1 delivery that waits, 200 dead letters or more and");
    expect(await says("delete", 0, { count: 0, exact: true })).toContain(
      "no delivery that waits, no dead letter",
    );
  });

  it("shows a secret where it was just made, and says so where it was not", async () => {
    expect(await html(<EndpointSecret endpoint={{ ...endpoint, secret: "whsec_1" }} />)).toContain("whsec_1");
    expect(await html(<EndpointSecret endpoint={endpoint} />)).toContain("shown before");
  });
});

describe("a change of the policy", () => {
  const empty = { added: [], removed: [], changed: [] };
  const IN_FORCE = { routes: [{ id: "orders", path: "/orders/**" }], roles: {} };
  const shown = (
    changes: PolicyCheckView["changes"],
    more: { simulation?: PolicyCheckView["simulation"]; document?: object } = {},
  ) => {
    const check = { valid: true, active_version: 3, changes, warnings: [], document: IN_FORCE, ...more };
    const props = { visitor: VISITOR, inForce: IN_FORCE, wanted: { document: {}, over: 3 } };
    return html(<PolicyChange {...props} check={check as unknown as PolicyCheckView} />);
  };

  it("names what it changes, and only that", async () => {
    const text = await shown({ routes: { ...empty, removed: ["orders"] }, issuers: empty });
    expect(text).toContain("orders");
    expect(text).toContain(">routes<");
    expect(text).not.toContain(">issuers<");
    expect(await shown({ issuers: empty })).toContain("changes nothing that is compared");
    const reordered = await shown({ access_rules: { ...empty, reordered: true } });
    expect(reordered).toContain("in another order");
  });

  it("says how the latest requests would have gone, where that was tried", async () => {
    expect(await shown({}, { simulation: { asks: [], replayed: 7, decided_otherwise: [] } })).toContain(
      "All 7 would have been",
    );
    expect(await shown({})).not.toContain("decided again");
  });

  it("folds those away that are many, and loses none", async () => {
    const decided_otherwise = Array.from({ length: 12 }, (_, i) => ({
      ...{ id: `req_${i}`, requester: `corp|person-${i}`, resource: "orders", scope: "orders:read" },
      ...{ was: "approved" as const, would_be: "refused" as const, created_at: NOW },
    }));
    const text = await shown({}, { simulation: { asks: [], replayed: 30, decided_otherwise } });
    expect(text).toContain("12 of 30 would have been decided otherwise");
    expect(text).toContain("The other 4");
    for (const { requester } of decided_otherwise) expect(text).toContain(requester);
  });

  it("shows each line that differs, with signs and not by colour alone", async () => {
    const document = { routes: [{ id: "orders", path: "/orders/*" }], roles: {} };
    const text = await shown({}, { document });
    expect(text).toContain("1 line added, which begin with +; 1 line removed, which begin with -.");
    expect(text).toContain("<del>-      &quot;path&quot;: &quot;/orders/**&quot;\n</del>");
    expect(text).toContain("<ins>+      &quot;path&quot;: &quot;/orders/*&quot;\n</ins>");
    expect(text).toContain("@@ -2,7 +2,7 @@ routes, orders");
    const roles = { ...IN_FORCE, roles: { dev: { scopes: ["a"] } } };
    expect(await shown({}, { document: roles })).toMatch(/@@ -\d+,\d+ \+\d+,\d+ @@ roles\n/);
    const added = { ...IN_FORCE, routes: [...IN_FORCE.routes, { id: "things", path: "/things" }] };
    expect(await shown({}, { document: added })).toMatch(/@@ routes(, things)?\n/);
    expect(await shown({})).toContain("No line differs");
  });

  it("says so where too much differs to be read", async () => {
    const roles = Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`role-${i}`, []]));
    const text = await shown({}, { document: { ...IN_FORCE, roles } });
    expect(text).toContain("More than 1,000 lines differ");
    expect(text).not.toContain("<ins>");
  });
});

describe("how fast revocations take hold", () => {
  const none = { strict: [], bounded: [], eventual: [] };
  const measured = { promise_ms: 2_000, count: 9, broken: 0, p50: 500, p95: 900, p99: 1_000, max: 1_500 };
  const shown = (propagation: Partial<PropagationView>) =>
    html(
      <PropagationPage
        propagation={{
          ...{ window_seconds: 86_400, replica_age: none },
          ...{ tiers: { strict: null, bounded: null, eventual: null }, ...propagation },
        }}
      />,
    );

  it("is empty before the canary ran", async () => {
    expect(await shown({})).toContain("Nothing is measured yet");
  });

  it("holds what was measured against the promise", async () => {
    const kept = await shown({ tiers: { strict: null, bounded: measured, eventual: null } });
    expect(kept).toContain("bounded: 9 revocations, every promise kept");
    expect(kept).toContain("1.5 s");
    const late = { ...measured, broken: 1, max: 2_500 };
    const broken = await shown({ tiers: { strict: null, bounded: late, eventual: null } });
    expect(broken).toContain("1 promise broken");
    expect(broken).toContain('class="bar bad"');
    expect(kept).not.toContain('class="bar bad"');
  });

  it("shows the ages of the memory that decided, the oldest too", async () => {
    const bounded = [
      { at_most_ms: 1_000, decisions: 30 },
      { at_most_ms: null, decisions: 10 },
    ];
    const text = await shown({ replica_age: { ...none, bounded } });
    expect(text).toContain("bounded: 40 decisions");
    expect(text).toContain("up to 1 s");
    expect(text).toContain("over 1 s");
  });
});
