import type { BrowserDeps } from "../browser/ports.ts";
import type { ConsoleDeps } from "../console/ports.ts";
import type { RequestContext } from "../platform/http.ts";
import { sessionAsk } from "./browser.ts";

type ConsoleApp = (request: Request, context: RequestContext) => Response | Promise<Response>;

/** The console, which is loaded when its first page is asked for: nothing else needs it. */
export function lazyConsole(browser: BrowserDeps, control: ConsoleDeps["control"]): ConsoleApp {
  const { issuer, clock, log: logger } = browser;
  const { host } = new URL(issuer);
  const tokenFor = sessionAsk(browser);
  const tokenOf = (cookie: string, refused?: string) => tokenFor(cookie, host, issuer, refused);
  let app: { fetch: ConsoleApp } | undefined;
  return async (request, context) => {
    if (!app) {
      const { consoleApp } = await import("../console/routes.tsx");
      app ??= consoleApp({ issuer, clock, logger, tokenOf, control });
    }
    return app.fetch(request, context);
  };
}
