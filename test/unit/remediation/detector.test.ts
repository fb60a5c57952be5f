import { describe, expect, it } from "vitest";
import { detectionsSchema } from "../../../src/policy/detection-schema.ts";
import type { Detection, DetectionKind } from "../../../src/protocol/detection.ts";
import { Detector } from "../../../src/remediation/detector.ts";
import { type Observation, observedKey, type SuspectRefusal } from "../../../src/remediation/observation.ts";

const AT = 1_800_000_000;
const ISS = "https://auth.example.com";
const TOKEN = { iss: ISS, jti: "tok_1", sub: "login|ann", kid: "own-1" };
const FORGED = { iss: ISS, kid: "own-1", address: "203.0.113.7", route: "orders" };

type Over = Parameters<typeof detectionsSchema.parse>[0];
const detector = (over: Over = {}) => {
  const made = new Detector(detectionsSchema.parse(over));
  const observe = made.observe.bind(made);
  return Object.assign(made, {
    observe: (observations: Observation[], isolate = "isolate 1") => observe(observations, isolate),
  });
};
const refused = (
  why: SuspectRefusal,
  about: Observation["about"],
  at: number,
  more: { count?: number; value?: string; late_seconds?: number } = {},
): Observation => ({ what: "refused", why, about, at: AT + at, count: 1, ...more });
const seen = (at: number, place: object, about: Observation["about"] = TOKEN): Observation => ({
  ...{ what: "seen", about, at: AT + at },
  ...place,
});
const used = (at: number, count: number): Observation => ({ what: "used", about: TOKEN, at: AT + at, count });
const kinds = (detections: Detection[]): DetectionKind[] => detections.map(({ kind }) => kind);
const times = (count: number, make: (n: number) => Observation) =>
  Array.from({ length: count }, (_, n) => make(n));

describe("refusals", () => {
  it.each([
    ["tampered", "token_tampered", FORGED, 10, {}],
    ["expired", "token_used_after_expiry", TOKEN, 10, { late_seconds: 600 }],
    ["revoked", "token_used_after_revocation", TOKEN, 20, {}],
  ] as const)(
    "of %s tokens are a detection at the threshold, and none before",
    (why, kind, about, threshold, more) => {
      const watch = detector();
      const each = (n: number) => refused(why, about, n, more);
      expect(watch.observe(times(threshold - 1, each))).toEqual([]);
      const [found, ...others] = watch.observe([each(threshold - 1)]);
      expect(others).toEqual([]);
      expect(found).toMatchObject({ kind, at: AT + threshold - 1, count: threshold, threshold, about });
      expect(found!.id).toMatch(/^det_/);
    },
  );

  it("that were told together count as many", () => {
    expect(kinds(detector().observe([refused("tampered", FORGED, 0, { count: 10 })]))).toEqual([
      "token_tampered",
    ]);
    expect(detector().observe([refused("tampered", FORGED, 0, { count: 9 })])).toEqual([]);
  });

  it("that are spread over more than the window are none", () => {
    expect(detector().observe(times(50, (n) => refused("tampered", FORGED, n * 35)))).toEqual([]);
  });

  it("of several addresses, tokens and subjects are counted apart", () => {
    const of = (n: number, why: SuspectRefusal, more = {}) =>
      refused(why, { ...TOKEN, jti: `tok_${n % 6}`, address: `203.0.113.${n % 20}` }, 0, more);
    expect(detector().observe(times(180, (n) => of(n, "tampered")))).toEqual([]);
    expect(detector().observe(times(54, (n) => of(n, "expired", { late_seconds: 700 })))).toEqual([]);
    expect(detector().observe(times(100, (n) => of(n, "revoked")))).toEqual([]);
  });

  it("of forged tokens are counted by their address, whatever they say of themselves", () => {
    const each = (n: number) => refused("tampered", { ...FORGED, kid: `kid-${n}` }, 0);
    expect(kinds(detector().observe(times(10, each)))).toEqual(["token_tampered"]);
    const nowhere = times(10, () => refused("tampered", { iss: ISS, kid: "own-1" }, 0));
    expect(kinds(detector().observe(nowhere))).toEqual(["token_tampered"]);
  });

  it("soon after a token's end are a late clock, not a sign", () => {
    const early = times(200, (n) => refused("expired", TOKEN, n, { late_seconds: 599 }));
    expect(detector().observe(early)).toEqual([]);
    const eager = detector({ token_used_after_expiry: { grace_seconds: 0 } });
    expect(kinds(eager.observe(early))).toEqual(["token_used_after_expiry"]);
  });

  it("of a token that nothing tells from others of its subject are left out", () => {
    const { jti: _, ...nameless } = TOKEN;
    const each = () => refused("revoked", nameless, 0);
    expect(detector().observe(times(100, each))).toEqual([]);
  });

  it("are found by session for all of its tokens", () => {
    const each = (n: number) => refused("revoked", { ...TOKEN, session: "ses_1", jti: `tok_${n}` }, 0);
    const found = detector().observe(times(20, each));
    expect(found).toMatchObject([{ about: { session: "ses_1", jti: "tok_19" } }]);
  });
});

describe("probing", () => {
  const refusal = (route: number, at = route) => refused("forbidden", TOKEN, at, { value: `route-${route}` });

  it("is ten different routes or resources that a subject was refused, not ten refusals", () => {
    expect(detector().observe(times(500, (n) => refusal(n % 9, 0)))).toEqual([]);
    expect(kinds(detector().observe(times(10, (n) => refusal(n))))).toEqual(["scope_probing"]);
  });

  it("is none where it takes longer than the window", () => {
    expect(detector().observe(times(100, (n) => refusal(n, n * 40)))).toEqual([]);
  });

  it("of keys is ten kids from one address, not one kid from many clients", () => {
    const of = (n: number, kid: string) =>
      refused("unknown_key", { iss: ISS, kid, address: "203.0.113.7" }, n, { value: kid });
    expect(detector().observe(times(200, (n) => of(n, `new-${n % 2}`)))).toEqual([]);
    expect(detector().observe(times(10, (n) => of(n, `made-up-${n}`)))).toMatchObject([
      { kind: "unknown_key_storm", about: { address: "203.0.113.7" } },
    ]);
  });
});

describe("use", () => {
  it("is too much at the limit, within one window", () => {
    const watch = detector();
    expect(watch.observe([used(0, 19_999)])).toEqual([]);
    expect(watch.observe([used(1, 1)])).toMatchObject([
      { kind: "token_overused", count: 20_000, threshold: 20_000, window_seconds: 60 },
    ]);
    expect(detector().observe([used(0, 19_999), used(60, 19_999), used(120, 19_999)])).toEqual([]);
  });

  it("is too much at ten times its own, once that is known", () => {
    const watch = detector();
    watch.observe([seen(0, { address_hash: 1 })]);
    expect(watch.observe([used(600, 3_000)])).toEqual([]);
    expect(watch.observe([used(601, 1)])).toMatchObject([
      { kind: "token_overused", count: 3_001, threshold: 3_001, facts: { usual: 300 } },
    ]);
  });

  it("is held against what every isolate leaves untold", () => {
    const watch = detector();
    for (const isolate of ["1", "2", "3"]) watch.observe([seen(0, { address_hash: 1 })], isolate);
    expect(watch.observe([used(600, 9_000)], "1")).toEqual([]);
    expect(watch.observe([used(601, 1)], "2")).toMatchObject([{ count: 9_001, facts: { usual: 900 } }]);
  });

  it("is none of that for a job that begins with a burst, and has another each hour", () => {
    const watch = detector();
    watch.observe([seen(0, { address_hash: 1 })]);
    const hours = times(8, (hour) => used(hour * 3_600, 12_000));
    expect(watch.observe(hours)).toEqual([]);
  });
});

describe("places", () => {
  const address = (n: number, at = n) => seen(at, { address_hash: n });

  it("are a detection when one token is at thirty addresses in an hour", () => {
    const watch = detector();
    expect(watch.observe(times(29, (n) => address(n)))).toEqual([]);
    expect(watch.observe([address(3, 40)])).toEqual([]);
    expect(watch.observe([address(29, 41)])).toMatchObject([
      { kind: "token_many_addresses", count: 30, about: TOKEN },
    ]);
    expect(detector().observe(times(90, (n) => address(n, n * 130)))).toEqual([]);
  });

  it("are none of one token's where five hundred share an address, or each has its own", () => {
    const of = (n: number) => seen(0, { address_hash: n % 2, country: "DE" }, { ...TOKEN, jti: `tok_${n}` });
    expect(detector().observe(times(500, of))).toEqual([]);
  });

  it("are a detection when one token is in four countries, with their names", () => {
    const at = (n: number, country: string) => seen(n, { country });
    expect(detector().observe([at(0, "DE"), at(1, "FR"), at(2, "DE"), at(3, "US")])).toEqual([]);
    expect(detector().observe([at(0, "DE"), at(1, "FR"), at(2, "BR"), at(3, "US")])).toMatchObject([
      { kind: "token_many_countries", facts: { countries: "DE FR BR US" } },
    ]);
  });

  it("are a detection when one token is in eight networks", () => {
    const at = (n: number) => seen(n, { asn: 64_500 + n });
    expect(detector().observe(times(7, at))).toEqual([]);
    expect(detector().observe(times(8, at))).toMatchObject([{ kind: "token_many_networks", count: 8 }]);
  });

  it("are followed through a session's tokens", () => {
    const at = (n: number) => seen(n, { address_hash: n }, { ...TOKEN, session: "ses_1", jti: `tok_${n}` });
    expect(kinds(detector().observe(times(30, at)))).toEqual(["token_many_addresses"]);
  });

  const BERLIN = { latitude: 52.52, longitude: 13.4, country: "DE" };
  const SYDNEY = { latitude: -33.87, longitude: 151.21, country: "AU" };
  const between = (moves: number) => times(moves + 1, (n) => seen(n * 60, n % 2 ? SYDNEY : BERLIN));

  it("are impossible travel when a token goes to and fro, not when a VPN goes on and off", () => {
    expect(detector().observe(between(4))).toEqual([]);
    expect(detector().observe(between(6))).toMatchObject([
      { kind: "impossible_travel", count: 6, facts: { from: "AU", to: "DE" } },
    ]);
  });

  it("are that at once where the policy wants it", () => {
    expect(kinds(detector({ impossible_travel: { threshold: 1 } }).observe(between(1)))).toEqual([
      "impossible_travel",
    ]);
  });
});

describe("a detection", () => {
  const storm = (count: number, at = 0) =>
    times(count, (n) => refused("tampered", FORGED, at + Math.floor(n / 100)));

  it("is raised once in a window, and again in a later one", () => {
    const watch = detector();
    const first = watch.observe(storm(1_000));
    expect(first).toHaveLength(1);
    expect(watch.observe(storm(100, 200))).toEqual([]);
    const second = watch.observe(storm(100, 320));
    expect(second).toHaveLength(1);
    expect(second[0]!.id).not.toBe(first[0]!.id);
  });

  it("has the same id where its shard forgot that it was raised", () => {
    const found = () => detector().observe(storm(10))[0]!.id;
    expect(found()).toBe(found());
  });

  it("is not raised where its kind is not enabled, and the others are", () => {
    const watch = detector({ token_many_countries: { enabled: false }, token_tampered: { enabled: false } });
    const places = times(30, (n) => seen(n, { address_hash: n, country: `A${n % 9}` }));
    expect(kinds(watch.observe([...places, ...storm(10)]))).toEqual(["token_many_addresses"]);
  });

  it("does not name the address where the policy does not want it, and is the same one", () => {
    const shown = detector().observe(storm(10))[0]!;
    const hidden = detector({ show_address: false }).observe(storm(10))[0]!;
    const { address: _, ...about } = shown.about;
    expect(hidden).toEqual({ ...shown, about });
  });
});

describe("memory", () => {
  it("is bounded, whatever the number of tokens, and what is heavy is found among them", () => {
    const watch = detector();
    const found: Detection[] = [];
    for (let n = 0; n < 100_000; n += 1_000) {
      const others = times(250, (i) => refused("revoked", { iss: ISS, jti: `tok_${n + i}` }, 0));
      const users = times(250, (i) => seen(0, { address_hash: i }, { iss: ISS, jti: `tok_${n + i}` }));
      const forgers = times(500, (i) =>
        refused("tampered", { ...FORGED, address: `2001:db8:${n}:${i}::/64` }, 0),
      );
      const heavy = refused("revoked", TOKEN, 0, { count: 1 });
      found.push(...watch.observe([...others, ...users, ...forgers, heavy]));
      watch.takeChanges();
    }
    expect(watch.size).toBeLessThanOrEqual(3 * 2_000);
    expect(found).toMatchObject([{ kind: "token_used_after_revocation", about: TOKEN }]);
  }, 60_000);

  it("holds more where the policy wants each to be counted", () => {
    const watch = detector({ token_used_after_revocation: { exact: true } });
    watch.observe(times(10_000, (n) => refused("revoked", { iss: ISS, jti: `tok_${n}` }, 0)));
    expect(watch.size).toBe(10_000);
  });

  it("lets go of what no window holds", () => {
    const watch = detector();
    watch.observe([refused("tampered", FORGED, 0), seen(0, { address_hash: 1 })]);
    watch.takeChanges();
    watch.prune(AT + 301);
    expect(watch.takeChanges()).toEqual([{ table: "token_tampered", key: FORGED.address, entry: undefined }]);
    watch.prune(AT + 3_601);
    expect(watch.size).toBe(0);
    expect(watch.longestWindowSeconds).toBe(3_600);
  });

  it("goes on where it was restored", () => {
    const before = detector();
    before.observe(times(9, (n) => refused("tampered", FORGED, n)));
    const after = detector();
    for (const { table, key, entry } of before.takeChanges()) {
      after.restore(table, key, JSON.parse(JSON.stringify(entry)));
    }
    expect(before.takeChanges()).toEqual([]);
    expect(kinds(after.observe([refused("tampered", FORGED, 9)]))).toEqual(["token_tampered"]);
  });
});

it("counts each observation by what cannot be chosen by whoever sends it", () => {
  expect(observedKey(refused("tampered", FORGED, 0))).toBe("203.0.113.7");
  expect(observedKey(refused("forbidden", TOKEN, 0))).toBe(`${ISS} login|ann`);
  expect(observedKey(refused("expired", TOKEN, 0))).toBe(`${ISS} tok_1`);
  expect(observedKey(seen(0, {}, { ...TOKEN, session: "ses_1" }))).toBe(`${ISS} ses_1`);
  expect(observedKey(seen(0, {}, { iss: ISS }))).toBeUndefined();
});
