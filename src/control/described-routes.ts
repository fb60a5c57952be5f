import { type Demand, demandOf } from "../platform/demand.ts";

/** A route as Hono lists it; `use` and `all` have the method ALL. */
export type ListedRoute = { method: string; path: string; handler: object };

/** A route of the control plane with all that its middleware demands. */
export type DescribedRoute = { method: string; path: string; demand: Demand };

/** What answers, in the order of registration. What stands for every method refuses the ones that are missing. */
export function describeRoutes(listed: readonly ListedRoute[]): DescribedRoute[] {
  const routes = new Map<string, DescribedRoute>();
  const general: { path: string; demand: Demand }[] = [];
  for (const { method, path, handler } of listed) {
    const demand = demandOf(handler) ?? {};
    if (method === "ALL") {
      general.push({ path, demand });
      continue;
    }
    const key = `${method} ${path}`;
    const earlier = general.filter((each) => takes(each.path, path)).map((each) => each.demand);
    const known = routes.get(key)?.demand ?? Object.assign({}, ...earlier);
    routes.set(key, { method, path, demand: { ...known, ...demand } });
  }
  return [...routes.values()];
}

function takes(pattern: string, path: string): boolean {
  if (!pattern.endsWith("/*")) return pattern === "*" || pattern === path;
  const folder = pattern.slice(0, -2);
  return path === folder || path.startsWith(`${folder}/`);
}
