import { describe, expect, it } from "vitest";
import { actionText, cutText, isUndoable, shortAbout } from "../../../src/console/firing.ts";
import { NOW, sampleDetection, sampleFiring } from "./samples.ts";
import { world } from "./world.ts";

const HELD = sampleFiring({
  ...{
    state: "held",
    would_cut: 340,
    actions: [{ kind: "revoke", on: { sub: "corp|alice" }, would_cut: 340 }],
  },
  held: { until: NOW + 3600, needed: 2, confirmations: [] },
});
const outcomes = (outcome: string) => [{ rule_id: "shared-token", outcome, remediation_id: "rmd_1" }];
const HELD_ANSWERS = {
  "GET /v1/remediations": { items: [HELD] },
  "GET /v1/remediations/rmd_1": HELD,
  "GET /v1/detections": { items: [sampleDetection({ outcomes: outcomes("held") })] },
  "GET /v1/detections/det_1": sampleDetection({ outcomes: outcomes("held") }),
};
const WRITER = "remediation:read remediation:write";

function operator(answers: Record<string, unknown>, scope = WRITER) {
  return world({ scope, answers });
}

describe("the list of detections", () => {
  it("begins with what waits for a person, and hands filters on", async () => {
    const { open, asked } = operator(HELD_ANSWERS);
    const text = await (await open("/console/detections?kind=token_overused&sub=alice")).text();
    expect(text).toContain("Waits for you");
    expect(text).toContain("Will cut 340 live tokens of ours, which is more than the rule may by itself.");
    expect(asked.map(({ path }) => path).sort()).toEqual([
      "/v1/detections?kind=token_overused&sub=alice&limit=50",
      "/v1/remediations?state=held&limit=20",
    ]);
  });

  it("leaves out what can no longer be confirmed", async () => {
    const over = { items: [{ ...HELD, state: "hold_expired" }] };
    const { open } = operator({ ...HELD_ANSWERS, "GET /v1/remediations": over });
    expect(await (await open("/console/detections")).text()).not.toContain("Waits for you");
  });
});

describe("a detection", () => {
  it("that is held can be confirmed or given up by who may write, and by nobody else", async () => {
    const page = async (scope?: string) =>
      (await operator(HELD_ANSWERS, scope).open("/console/detections/det_1")).text();
    const writer = await page();
    expect(writer).toContain('action="/console/remediations/rmd_1/confirm"');
    expect(writer).toContain("Confirm: 2 persons are needed");
    expect(writer).toContain("Give it up");
    expect(await page("remediation:read")).not.toContain("<form");
  });

  it("is not offered again to who has confirmed it", async () => {
    const confirmations = [{ actor: "corp|bob", at: NOW - 5, comment: "seen it" }];
    const once = { ...HELD, held: { ...HELD.held!, confirmations } };
    const answers = { ...HELD_ANSWERS, "GET /v1/remediations/rmd_1": once };
    const text = await (await operator(answers).open("/console/detections/det_1")).text();
    expect(text).toContain("You have confirmed it; another person has to as well.");
    expect(text).toContain("seen it");
    expect(text).not.toContain("/confirm");
  });

  it("that was acted on says by when it holds, and can be taken back", async () => {
    const answers = { ...HELD_ANSWERS, "GET /v1/remediations/rmd_1": sampleFiring() };
    const text = await (await operator(answers).open("/console/detections/det_1")).text();
    expect(text).toContain("Cut 2 live tokens of ours");
    expect(text).toMatch(/holds everywhere by \d+ \w+ 2026/);
    expect(text).toContain('action="/console/remediations/rmd_1/undo"');
  });

  it("is shown where what was done about it is forgotten", async () => {
    const gone = Response.json({ code: "not_found", detail: "Gone." }, { status: 404 });
    const answer = await operator({ ...HELD_ANSWERS, "GET /v1/remediations/rmd_1": gone }).open(
      "/console/detections/det_1",
    );
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain("shared-token");
  });
});

describe("a form about a firing", () => {
  it.each([
    ["confirm", { comment: "seen" }, "held", "firing-counted", { comment: "seen" }],
    ["confirm", { comment: "" }, "acted", "firing-confirmed", {}],
    ["undo", { reason: "a test" }, "undone", "firing-undone", { reason: "a test" }],
    ["undo", { reason: "no" }, "dismissed", "firing-dismissed", { reason: "no" }],
  ])("%s %j leads back and says what was done: %s", async (deed, form, state, done, body) => {
    const { send, asked } = operator({ [`POST /v1/remediations/rmd_1/${deed}`]: { ...HELD, state } });
    const answer = await send(`/console/remediations/rmd_1/${deed}`, form as Record<string, string>);
    expect(answer.status).toBe(303);
    expect(answer.headers.get("location")).toBe(`/console/detections/det_1?done=${done}`);
    expect(JSON.parse(asked.at(-1)!.body)).toEqual(body);
  });

  it("without a reason undoes nothing, and says so on the page", async () => {
    const { send, asked } = operator(HELD_ANSWERS);
    const answer = await send("/console/remediations/rmd_1/undo", { reason: " " });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("Say why");
    expect(asked.filter(({ method }) => method === "POST")).toEqual([]);
  });

  it("that needs a passkey is shown again as it was filled in, and asks for one", async () => {
    const refusal = Response.json({ code: "passkey_required", detail: "Use your passkey." }, { status: 403 });
    const { send } = operator({ ...HELD_ANSWERS, "POST /v1/remediations/rmd_1/confirm": refusal });
    const answer = await send("/console/remediations/rmd_1/confirm", { comment: "seen" });
    expect(answer.status).toBe(403);
    const text = await answer.text();
    expect(text).toContain('data-passkey="remediation.confirm"');
    expect(text).toContain('name="remediation_id" value="rmd_1"');
    expect(text).toContain('value="seen"');
    const { send: again, asked } = operator({ "POST /v1/passkeys/challenges": { public_key: {} } });
    const named = { confirms: "remediation.confirm", remediation_id: "rmd_1" };
    expect((await again("/console/passkeys/challenges", named)).status).toBe(200);
    const confirms = { kind: "remediation.confirm", remediation_id: "rmd_1" };
    expect(JSON.parse(asked.at(-1)!.body)).toEqual({ confirms });
    const held = { "POST /v1/remediations/rmd_1/confirm": { ...HELD, state: "acted" } };
    const { send: confirmed, asked: called } = operator(held);
    await confirmed("/console/remediations/rmd_1/confirm", { passkey: '{"id":"k"}' });
    expect(JSON.parse(called.at(-1)!.body)).toEqual({ passkey: { id: "k" } });
  });

  it("that is refused shows the detection with the refusal", async () => {
    const late = Response.json({ code: "gone", detail: "Nobody confirmed this in time." }, { status: 410 });
    const { send } = operator({ ...HELD_ANSWERS, "POST /v1/remediations/rmd_1/confirm": late });
    const answer = await send("/console/remediations/rmd_1/confirm", {});
    expect(answer.status).toBe(410);
    expect(await answer.text()).toContain("Nobody confirmed this in time.");
  });
});

describe("what a firing is said to do", () => {
  it("names each action, with its length and scopes", () => {
    const said = (kind: string, more = {}) => actionText({ kind, on: {}, ...more });
    expect(said("block_address", { seconds: 600 })).toBe("refuses every request from it for 10 min");
    expect(said("shrink_scope", { scopes: ["a", "b"] })).toBe("takes a, b from its tokens");
    expect(said("step_up", { acr_values: ["mfa"] })).toBe("asks its tokens for another sign-in (mfa)");
    expect(said("some_new_one")).toBe("some new one");
  });

  it("names in a list what tells most, and everything where there is nothing else", () => {
    expect(shortAbout({ iss: "i", kid: "k", sub: "cli_1", client_id: "cli_1", jti: "t" })).toBe(
      "sub cli_1, jti t",
    );
    expect(shortAbout({ iss: "i", kid: "k", sub: "ann", client_id: "cli_1" })).toBe(
      "sub ann, client_id cli_1",
    );
    expect(shortAbout({ iss: "i", kid: "k" })).toBe("iss i, kid k");
  });

  it("says in its tense what is cut", () => {
    expect(cutText({ state: "held", would_cut: 1 })).toBe("Will cut 1 live token of ours");
    expect(cutText({ state: "shadow", would_cut: 2000 })).toBe("Would have cut 2,000 live tokens of ours");
    expect(cutText({ state: "acted", would_cut: 0 })).toBe("Cut no live token of ours");
  });

  it("can be taken back only where it acted, by a revocation", () => {
    expect(isUndoable(sampleFiring())).toBe(true);
    expect(isUndoable(sampleFiring({ state: "shadow" }))).toBe(false);
    expect(isUndoable(sampleFiring({ actions: [{ kind: "notify", on: {} }] }))).toBe(false);
  });
});
