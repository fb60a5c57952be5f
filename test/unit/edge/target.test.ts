import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_PATH_CHARS, MAX_URL_CHARS, readTarget, type TargetFault } from "../../../src/edge/target.ts";
import {
  climbingTargets,
  hostileTargets,
  mixedTargets,
  PLAIN_TARGETS,
} from "../../support/corpus/hostile-targets.ts";

const BASE = "https://api.example.com";

function read(pathAndQuery: string) {
  const target = readTarget(BASE + pathAndQuery);
  return target.ok ? target.value : target.error;
}

describe("request targets", () => {
  it("refuses a corpus of hostile paths, each for its reason, wherever the piece stands", () => {
    const targets = hostileTargets();
    expect(targets.filter(({ target, fault }) => read(target) !== fault)).toEqual([]);
    expect(targets.length).toBeGreaterThan(2_000);
  });

  it("refuses paths that climb or have an empty segment, whatever is around it", () => {
    const wrong = climbingTargets().filter(({ target, fault }) => read(target) !== fault);
    expect(wrong).toEqual([]);
  });

  it("refuses hostile pieces among plain ones, for the reason of one of them", () => {
    const targets = mixedTargets(11, 2_000);
    const wrong = targets.filter(({ target, faults }) => !faults.includes(read(target) as TargetFault));
    expect(wrong).toEqual([]);
  });

  it.each(["//", "//admin", "/a//b", "/a//", "///", "//evil.example/a"])(
    "refuses the empty segment in %s",
    (path) => {
      expect(read(path)).toBe("double_slash");
    },
  );

  it.each(["/.", "/..", "/./a", "/../a", "/a/..", "/a/./b", "/a/../b", "/a/.?x"])(
    "refuses the dot segment in %s",
    (path) => {
      expect(read(path)).toBe("dot_segment");
    },
  );

  it.each(PLAIN_TARGETS)("accepts %s, and takes it apart without changing it", (path) => {
    expect(read(path)).toMatchObject({ scheme: "https", host: "api.example.com", path, search: "" });
    expect(read(`${path}?a=1`)).toMatchObject({ path, search: "?a=1" });
  });

  it("gives the route table one spelling of a path", () => {
    expect(read("/users/%40me")).toMatchObject({ path: "/users/%40me", routePath: "/users/@me" });
    expect(read("/users/@me")).toMatchObject({ routePath: "/users/@me" });
    expect(read("/caf%c3%a9")).toMatchObject({ path: "/caf%c3%a9", routePath: "/caf%C3%A9" });
    expect(read("/%21%24%26%27%28%29%2a%2b%2c%3a%3d%40")).toMatchObject({ routePath: "/!$&'()*+,:=@" });
    expect(read("/a%20b%3f%25")).toMatchObject({ routePath: "/a%20b%3F%25" });
  });

  it("lets any visible ASCII stand in the query, which decides no route", () => {
    for (const search of [
      "?",
      "?a=%2F%2e%00%0d%0a",
      "?next=//x/../;y",
      "?%",
      "?q=%zz",
      '?a[]=|{}^`"<>\\',
      "?a?b",
    ]) {
      expect(read(`/orders${search}`)).toMatchObject({ path: "/orders", search });
    }
    expect(read("/orders?é")).toBe("non_ascii");
    expect(read("/orders?a\nb")).toBe("control");
    expect(read("/orders?a b")).toBe("character");
    expect(read("/orders?a#b")).toBe("character");
  });

  it("reads hosts with their port, and refuses what is none", () => {
    const host = (url: string) => {
      const target = readTarget(url);
      return target.ok ? target.value.host : target.error;
    };
    for (const good of [
      "localhost:8787",
      "a.example.com",
      "127.0.0.1:1",
      "[::1]:8787",
      "xn--caf-dma.example",
    ]) {
      expect(host(`http://${good}/`)).toBe(good);
    }
    expect(host("http://A.Example:80/")).toBe("a.example:80");
    expect(host("http://user@a.example/")).toBe("userinfo");
    expect(host("http://user:pw@a.example/x")).toBe("userinfo");
    for (const bad of ["", "a b", "a.example:port", "a.example:123456", "é.example", "a,b", "a%2eb"]) {
      expect(host(`http://${bad}/`), bad).toBe("host");
    }
    expect(host("http://a.example")).toBe("host");
    expect(host("http://a.example?x=/y")).toBe("host");
    for (const scheme of ["ftp://a/", "javascript:alert(1)", "/orders", "", "HTTP://a/", "ws://a/"]) {
      expect(host(scheme), scheme).toBe("scheme");
    }
  });

  it("limits the path and the whole address", () => {
    expect(read(`/${"a".repeat(MAX_PATH_CHARS - 1)}`)).toHaveProperty("path");
    expect(read(`/${"a".repeat(MAX_PATH_CHARS)}`)).toBe("too_long");
    const room = MAX_URL_CHARS - BASE.length - 2;
    expect(read(`/?${"a".repeat(room)}`)).toHaveProperty("search");
    expect(read(`/?${"a".repeat(room + 1)}`)).toBe("too_long");
  });

  it("forwards no path that a URL parser would read as another one", () => {
    const pieces = [
      "/",
      ".",
      "..",
      "%",
      "%2",
      "2f",
      "%41",
      "%C3%A9",
      "é",
      "a",
      "@",
      ":",
      ";",
      "\\",
      "?",
      "#",
      " ",
      "%25",
      "~",
      "[",
      "*",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (parts) => {
        const target = readTarget(`${BASE}/${parts.join("")}`);
        if (!target.ok) return;
        const { path, search } = target.value;
        const again = new URL(`http://origin.internal:8080${path}${search}`);
        expect(again.href).toBe(`http://origin.internal:8080${path}${search}`);
        expect(again.pathname).toBe(path);
        expect(again.host).toBe("origin.internal:8080");
      }),
      { numRuns: 3000, seed: 7 },
    );
  });

  it("reads any URL that a client can make a parser produce, or refuses it", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true }), (url) => {
        const { href } = new URL(url);
        const target = readTarget(href);
        if (target.ok)
          expect(
            `${target.value.scheme}://${target.value.host}${target.value.path}${target.value.search}`,
          ).toBe(href);
      }),
      { numRuns: 1000, seed: 8 },
    );
  });

  it("takes no longer for a hostile path than for a plain one of its length", () => {
    const started = performance.now();
    for (const piece of ["%25", "%C3%A9", "%40", "a.", "/.a", "%"]) {
      for (let i = 0; i < 50; i++) read(`/${piece.repeat(Math.floor(MAX_PATH_CHARS / piece.length) - 1)}`);
    }
    expect((performance.now() - started) / 300).toBeLessThan(5);
  });
});
