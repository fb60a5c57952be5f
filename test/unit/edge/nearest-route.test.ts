import { describe, expect, it } from "vitest";
import { nearestRoute } from "../../../src/edge/nearest-route.ts";
import { policySchema } from "../../../src/policy/document.ts";
import { policyOf } from "../../support/edge-world.ts";

const routesOf = (routes: { id: string; host?: string; path: string }[]) =>
  policySchema.parse(policyOf(routes.map((route) => ({ ...route, access: "public" })))).routes;
const routes = routesOf([
  { id: "root", path: "/" },
  { id: "orders", path: "/orders" },
  { id: "order", path: "/orders/:id" },
  { id: "items", path: "/orders/:id/items" },
  { id: "files", path: "/v2/files/**" },
  { id: "anything", path: "/:kind/:id/:part/:of" },
  { id: "reports", host: "reports.example.com", path: "/monthly/:month" },
  { id: "branches", host: "*.shop.example.com", path: "/branch" },
]);
const nearest = (routePath: string, host = "api.example.com") =>
  nearestRoute(routes, { host, routePath })?.id;

describe("the route that somebody may have meant", () => {
  it.each([
    ["/orders/", "orders"],
    ["/order", "orders"],
    ["/Orders", "orders"],
    ["/ORDERS/7", "order"],
    ["/odrers/7", "order"],
    ["/orders/7/", "order"],
    ["/orders/7/itmes", "items"],
    ["/orders/7/items/9", "items"],
    ["/v1/orders/7", "order"],
    ["/files/a/b/c", "files"],
    ["/v2/flies/a/b/c", "files"],
    ["/v2", "files"],
    ["/monthly/may", "reports"],
    ["/monthyl/may", "reports"],
    ["/branch", "branches"],
  ])("of %s is %s", (path, route) => {
    expect(nearest(path)).toBe(route);
  });

  it.each([
    ["/users"],
    ["/users/7"],
    ["/a/b/c"],
    ["/or"],
    ["/api/v1/orders/7"],
    [`/${"o".repeat(65)}`],
    [`/orders${"/x".repeat(40)}`],
    ["//"],
  ])("of %s is none that has nothing in common with it, or too little", (path) => {
    expect(nearest(path)).toBeUndefined();
  });

  it("is one on this host before the same on another", () => {
    const twice = routesOf([
      { id: "there", host: "other.example.com", path: "/orders" },
      { id: "here", host: "api.example.com", path: "/orders" },
      { id: "everywhere", path: "/orders" },
    ]);
    const target = { host: "api.example.com:8443", routePath: "/orders/" };
    expect(nearestRoute(twice, target)?.id).toBe("here");
    expect(nearestRoute(twice.slice(0, 1), target)?.id).toBe("there");
    expect(nearestRoute([], target)).toBeUndefined();
  });
});
