import { html } from "hono/html";
import { htmlPage, type Markup, pageHeaders } from "../platform/html-page.ts";
import { newSecret } from "../platform/ids.ts";

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 12vh auto; padding: 0 1rem; color: #1a1a1a; background: #fff }
  button, a.button { display: block; width: 100%; box-sizing: border-box; margin: .5rem 0; padding: .75rem 1rem; font: inherit;
    text-align: left; text-decoration: none; color: inherit; border: 1px solid #767676; border-radius: .5rem; background: none; cursor: pointer }
  button:hover, button:focus-visible, a.button:hover, a.button:focus-visible { border-color: #0b57d0; outline: 2px solid #0b57d0 }
  @media (prefers-color-scheme: dark) { body { background: #1a1a1a; color: #eee } }
`;

export type PageOptions = {
  status?: number;
  cookies?: string[];
  /** Origins beside our own that a form of the page may lead to. */
  formTo?: string[];
};

/** A page of ours: nothing runs, nothing is framed, cached or indexed, and no address is told on. */
export async function page(title: string, body: Markup, options: PageOptions = {}): Promise<Response> {
  const nonce = newSecret();
  const { status = 200, cookies = [], formTo = [] } = options;
  const text = htmlPage(title, html`<h1>${title}</h1>${body}`, { style: STYLE, nonce });
  const headers = new Headers(pageHeaders(nonce, { formTo, referrer: "same-origin" }));
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(String(await text), { status, headers });
}
