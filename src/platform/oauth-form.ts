import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { every } from "hono/combine";
import { oauthError, oauthErrorResponse } from "../protocol/oauth-error.ts";
import type { HttpEnv } from "./http.ts";

/** A route that is given its form. */
export type FormEnv = HttpEnv & { Variables: { form: URLSearchParams } };

const MAX_FORM_BYTES = 32 * 1024;

/** Reads the form of an OAuth endpoint (RFC 6749 §3.2); what is none is answered with `invalid_request`. */
export function oauthForm(): MiddlewareHandler<FormEnv> {
  const limited = bodyLimit({
    maxSize: MAX_FORM_BYTES,
    onError: () => oauthErrorResponse(oauthError("invalid_request", "The form is over 32 KiB.")),
  });
  const read: MiddlewareHandler<FormEnv> = async (c, next) => {
    const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
    if (type !== "application/x-www-form-urlencoded") {
      return oauthErrorResponse(
        oauthError("invalid_request", "Send the parameters as application/x-www-form-urlencoded."),
      );
    }
    c.set("form", new URLSearchParams(await c.req.text()));
    return next();
  };
  return every(limited, read);
}
