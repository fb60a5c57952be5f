import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { policySchema, type Route } from "../../../src/policy/document.ts";
import { METHODS } from "../../../src/policy/methods.ts";
import { RouteTable, routeConflicts } from "../../../src/policy/route-table.ts";

type Written = { path: string; host?: string; methods?: Route["methods"] };

function routesOf(...written: (string | Written)[]): Route[] {
  const routes = written.map((each, index) => ({
    id: `r${index}`,
    origin: "demo",
    access: "public" as const,
    ...(typeof each === "string" ? { path: each } : each),
  }));
  return policySchema.parse({ routes }).routes;
}

/** The path of the route that answers, or the kind of the miss. */
function answerer(table: RouteTable, path: string, method = "GET", host = "api.example.com"): string {
  const found = table.match(host, path, method);
  return found.kind === "match" ? found.route.path : found.kind;
}

describe("paths", () => {
  it.each<[pattern: string, taken: string[], notTaken: string[]]>([
    ["/", ["/"], ["", "/a", "//", "a"]],
    [
      "/orders",
      ["/orders"],
      ["/orders/", "/Orders", "/order", "/orders2", "/orders/1", "orders", "/%6frders"],
    ],
    ["/orders/", ["/orders/"], ["/orders", "/orders//", "/orders/1"]],
    [
      "/orders/:id",
      ["/orders/1", "/orders/a%20b", "/orders/;x"],
      ["/orders/", "/orders", "/orders/1/", "/orders/1/2"],
    ],
    ["/orders/*", ["/orders/1", "/orders/%ff"], ["/orders/", "/orders/1/2"]],
    [
      "/orders/**",
      ["/orders", "/orders/", "/orders/1", "/orders/1/2/", "/orders//"],
      ["/orders2", "/", "/order"],
    ],
    ["/:a/x/**", ["/1/x", "/1/x/y/z"], ["/x", "//x", "/1/y"]],
    ["/**", ["/", "/a", "/a/b/", "//", "/%ff"], ["", "a"]],
    ["/v1/items:batch", ["/v1/items:batch"], ["/v1/items", "/v1/itemsbatch"]],
    ["/caf%C3%A9", ["/caf%C3%A9"], ["/caf%c3%a9", "/café"]],
  ])("%s", (pattern, taken, notTaken) => {
    const table = new RouteTable(routesOf(pattern));
    expect(taken.map((path) => answerer(table, path))).toEqual(taken.map(() => pattern));
    expect(notTaken.map((path) => answerer(table, path))).toEqual(notTaken.map(() => "none"));
  });

  it("gives the most specific pattern, wherever it stands in the list", () => {
    const patterns = ["/**", "/a/**", "/:x", "/a/:y", "/a/b", "/a/:y/c/**", "/a/b/*/d", "/a/b/c/d"];
    const paths: Record<string, string> = {
      "/": "/**",
      "/z": "/:x",
      "/a": "/a/**",
      "/a/z": "/a/:y",
      "/a/b": "/a/b",
      "/a/z/c": "/a/:y/c/**",
      "/a/b/c": "/a/:y/c/**",
      "/a/b/z/d": "/a/b/*/d",
      "/a/b/c/d": "/a/b/c/d",
      "/a/b/c/e": "/a/:y/c/**",
      "/a/z/z": "/a/**",
      "/z/z": "/**",
    };
    for (const order of [patterns, patterns.toReversed()]) {
      const table = new RouteTable(routesOf(...order));
      expect(Object.keys(paths).map((path) => answerer(table, path))).toEqual(Object.values(paths));
    }
  });

  it("has no route where there are none", () => {
    expect(new RouteTable([]).match("api.example.com", "/", "GET")).toEqual({ kind: "none" });
  });
});

describe("parameters", () => {
  const table = new RouteTable(routesOf("/p/:project/files/:constructor", "/p/:project", "/**"));

  it("are decoded once, by name", () => {
    const found = table.match("h", "/p/caf%C3%A9%2520/files/a%3Bb", "GET");
    expect(found).toMatchObject({ kind: "match", params: { project: "café%20", constructor: "a;b" } });
    expect(table.match("h", "/p/x", "GET")).toMatchObject({ params: { project: "x" } });
  });

  it.each(["/p/%ff", "/p/%c0%af", "/p/%ed%a0%80", "/p/%", "/p/%2", "/p/%zz", "/p/a%2Fb", "/p/a%2fb"])(
    "%s does not decode to one segment: nothing matches, not even the wider route",
    (path) => {
      expect(answerer(table, path)).toBe("none");
      expect(answerer(table, path.replace("/p/", "/q/"))).toBe("/**");
    },
  );
});

describe("hosts", () => {
  const table = new RouteTable(
    routesOf(
      { path: "/**" },
      { path: "/only-any" },
      { path: "/a/**", host: "*.example.com" },
      { path: "/:x", host: "api.example.com" },
      { path: "/p", host: "api.example.com:8443" },
      { path: "/local", host: "localhost:8787" },
      { path: "/sub/**", host: "*.localhost" },
    ),
  );
  const hostOf = (host: string, path: string) => {
    const found = table.match(host, path, "GET");
    return found.kind === "match" ? (found.route.host ?? "any") : found.kind;
  };

  it.each([
    ["api.example.com", "/a", "api.example.com"],
    ["api.example.com", "/a/b", "*.example.com"],
    ["api.example.com", "/b/b", "any"],
    ["api.example.com.", "/a", "api.example.com"],
    ["api.example.com..:1", "/a", "api.example.com"],
    ["api.example.com:8080", "/a", "api.example.com"],
    ["api.example.com:8443", "/p", "api.example.com:8443"],
    ["api.example.com:8443", "/q", "api.example.com"],
    ["www.example.com:1", "/a", "*.example.com"],
    ["example.com", "/a", "any"],
    ["deep.api.example.com", "/a", "any"],
    ["api.example.com.evil.test", "/a", "any"],
    ["xapi.example.com", "/x", "any"],
    ["localhost:8787", "/local", "localhost:8787"],
    ["localhost:8788", "/local", "any"],
    ["localhost", "/sub/1", "any"],
    ["x.localhost", "/sub/1", "*.localhost"],
    ["[::1]:8787", "/local", "any"],
    ["[::1]", "/local", "any"],
    ["", "/a", "any"],
  ])("%s%s is answered by %s", (host, path, expected) => {
    expect(hostOf(host, path)).toBe(expected);
  });

  it("an exact host wins over a path that is more specific", () => {
    expect(hostOf("api.example.com", "/only-any")).toBe("api.example.com");
    expect(hostOf("other.test", "/only-any")).toBe("any");
  });
});

describe("methods", () => {
  const table = new RouteTable(
    routesOf(
      { path: "/orders/:id", methods: ["GET", "HEAD"] },
      { path: "/orders/*", methods: ["DELETE"] },
      { path: "/open" },
      { path: "/**" },
    ),
  );

  it("chooses among routes of one pattern", () => {
    expect(answerer(table, "/orders/1", "HEAD")).toBe("/orders/:id");
    expect(answerer(table, "/orders/1", "DELETE")).toBe("/orders/*");
  });

  it("never falls through to a wider route", () => {
    expect(table.match("h", "/orders/1", "POST")).toEqual({
      kind: "method",
      allow: ["DELETE", "GET", "HEAD"],
    });
    expect(table.match("h", "/orders/1", "get")).toMatchObject({ kind: "method" });
    expect(answerer(table, "/orders/1/x", "POST")).toBe("/**");
  });

  it("a route without methods takes every one but TRACE, by which an origin would repeat our headers", () => {
    for (const method of [...METHODS, "PROPFIND"]) expect(answerer(table, "/open", method)).toBe("/open");
    expect(table.match("h", "/open", "TRACE")).toEqual({ kind: "method", allow: [...METHODS].sort() });
  });
});

describe("routeConflicts", () => {
  it("names two routes that take the same requests", () => {
    const routes = routesOf(
      { path: "/a/:x", methods: ["GET", "PUT"] },
      "/b",
      { path: "/a/*", methods: ["PUT"] },
      "/b",
    );
    expect(routeConflicts(routes)).toEqual([
      expect.stringMatching(/^routes\.2\.path: takes the same PUT requests as routes\.0;/),
      expect.stringMatching(/^routes\.3\.path: takes the same GET requests as routes\.1;/),
    ]);
    expect(routeConflicts(routes, (i) => `#${i}`)[0]).toContain("#2.path");
  });

  it.each<[string, Written[]]>([
    [
      "other methods",
      [
        { path: "/a", methods: ["GET"] },
        { path: "/a", methods: ["POST"] },
      ],
    ],
    ["other hosts", [{ path: "/a" }, { path: "/a", host: "a.test" }, { path: "/a", host: "*.a.test" }]],
    [
      "with and without a port",
      [
        { path: "/a", host: "a.test" },
        { path: "/a", host: "a.test:1" },
      ],
    ],
    ["a literal beside a parameter", [{ path: "/a" }, { path: "/:x" }, { path: "/**" }, { path: "/a/**" }]],
    ["a trailing slash", [{ path: "/a" }, { path: "/a/" }]],
  ])("accepts %s", (_title, written) => {
    expect(routeConflicts(routesOf(...written))).toEqual([]);
  });
});

describe("a naive matcher agrees", () => {
  const segment = fc.constantFrom("a", "b", ":x", "*");
  const pattern = fc
    .tuple(fc.array(segment, { maxLength: 4 }), fc.constantFrom("", "/", "/**"))
    .map(([segments, end]) => (segments.map((text) => `/${text}`).join("") + end || "/") as string);
  const written: fc.Arbitrary<Written> = fc.record(
    {
      path: pattern,
      host: fc.constantFrom("x.test", "*.test", "x.test:1", "*.test:1"),
      methods: fc.subarray([...METHODS.slice(0, 3)], { minLength: 1 }),
    },
    { requiredKeys: ["path"] },
  );
  const path = fc
    .array(fc.constantFrom("a", "b", "c", "", "%41", "%ff"), { maxLength: 6 })
    .map((s) => `/${s.join("/")}`);
  const request = fc.tuple(
    fc.constantFrom("x.test", "x.test:1", "y.test", "other"),
    path,
    fc.constantFrom(...METHODS),
  );

  it("on any table and request", () => {
    fc.assert(
      fc.property(
        fc.array(written, { maxLength: 12 }),
        fc.array(request, { minLength: 1, maxLength: 5 }),
        (table, requests) => {
          const routes = routesOf(...table);
          const compiled = new RouteTable(routes);
          for (const [host, requestPath, method] of requests) {
            const found = compiled.match(host, requestPath, method);
            const summary = found.kind === "match" ? found.route.id : found.kind;
            expect(summary).toBe(naiveMatch(routes, host, requestPath, method));
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

/** Ranks each route that fits by its host, then its segments, and takes the best: slow, and plainly right. */
function naiveMatch(routes: readonly Route[], host: string, path: string, method: string): string {
  const given = path.slice(1).split("/");
  const ranked = routes
    .map((route) => ({
      route,
      rank: `${hostRank(route.host, host)} ${pathRank(route.path.slice(1).split("/"), given)}`,
    }))
    .filter(({ rank }) => !rank.includes("-"))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const best = ranked.filter(({ rank }) => rank === ranked[0]?.rank).map(({ route }) => route);
  if (best.length === 0) return "none";
  const route = best.find((each) => !each.methods || (each.methods as string[]).includes(method));
  if (!route) return "method";
  const named = route.path
    .slice(1)
    .split("/")
    .map((part, i) => (part.startsWith(":") ? given[i] : ""));
  return named.includes("%ff") ? "none" : route.id;
}

/** "0" is the best, "-" does not fit. */
function hostRank(pattern: string | undefined, host: string): string {
  const name = host.replace(/:\d+$/, "");
  const parent = (text: string) => text.replace(/^[^.]*\.?/, "*.");
  const wide = host.includes(".");
  const order = [host, name, ...(wide ? [parent(host), parent(name)] : []), undefined];
  const rank = order.indexOf(pattern);
  return rank === -1 ? "-" : String(rank);
}

/** One digit a segment: 0 literal or end, 1 parameter, 2 `**`. */
function pathRank(pattern: string[], given: string[]): string {
  const [first, ...rest] = pattern;
  if (first === undefined) return given.length === 0 ? "0" : "-";
  if (first === "**") return "2";
  if (given.length === 0) return "-";
  const wild = first === "*" || first.startsWith(":");
  if (wild ? given[0] === "" : given[0] !== first) return "-";
  return (wild ? "1" : "0") + pathRank(rest, given.slice(1));
}

describe("cost", () => {
  const fastest = (work: () => void) => {
    const times = Array.from({ length: 40 }, () => {
      const from = performance.now();
      work();
      return performance.now() - from;
    });
    return Math.min(...times);
  };
  const combinations = (depth: number): string[] =>
    depth === 0 ? [""] : combinations(depth - 1).flatMap((p) => [`${p}/a`, `${p}/*`]);

  it.each<[string, string[]]>([
    [
      "every mix of literals and parameters, none of which fits",
      combinations(10).map((p) => `${p}${"/a".repeat(21)}/b`),
    ],
    ["every mix ending in **", combinations(10).map((p) => `${p}/**`)],
    ["long chains", Array.from({ length: 32 }, (_, i) => `${"/a".repeat(i)}${"/*".repeat(31 - i)}/z`)],
  ])("64 KiB of 'a/' against %s: under 5 ms", (_title, patterns) => {
    const table = new RouteTable(routesOf(...patterns));
    const path = `/${"a/".repeat(32 * 1024)}`;
    const wanted = patterns[0]!.endsWith("**") ? "match" : "none";
    expect(table.match("h", path, "GET").kind).toBe(wanted);
    expect(fastest(() => table.match("h", path, "GET"))).toBeLessThan(5);
  });

  it("one segment of 64 KiB and a host of 64 KiB of dots: under 5 ms", () => {
    const table = new RouteTable(routesOf(...combinations(10), { path: "/h", host: "h.test" }));
    const path = `/${"a".repeat(64 * 1024)}`;
    expect(fastest(() => table.match(`${".".repeat(64 * 1024)}x`, path, "GET"))).toBeLessThan(5);
  });
});
