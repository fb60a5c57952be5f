import { PEOPLE } from "./people.ts";

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 12vh auto; padding: 0 1rem; color: #1a1a1a; }
  button { display: block; width: 100%; margin: .5rem 0; padding: .75rem 1rem; font: inherit; text-align: left;
    border: 1px solid #767676; border-radius: .5rem; background: #fff; cursor: pointer; }
  button:hover, button:focus-visible { border-color: #0b57d0; outline: 2px solid #0b57d0; }
  .note { border-left: 4px solid #b06000; padding-left: 1rem; }
  small { color: #595959; display: block; }
  @media (prefers-color-scheme: dark) {
    body { background: #1a1a1a; color: #eee; } button { background: #262626; color: #eee; } small { color: #b5b5b5; }
  }`;

const NO_PASSWORD =
  '<p class="note">There is no password: this provider is a demo that listens on this machine only. ' +
  "Anyone who can open this page can be any of the three.</p>";

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${STYLE}</style></head>
<body><h1>${title}</h1>${body}</body></html>`;
}

/** Asks who signs in; the form posts `person` to the page's own address. */
export function choosePersonPage(): string {
  const buttons = Object.entries(PEOPLE).map(
    ([id, person]) =>
      `<button name="person" value="${id}">${person.name}<small>${person.role}: ${person.does}</small></button>`,
  );
  return page("Who are you?", `${NO_PASSWORD}<form method="post">${buttons.join("")}</form>`);
}

export function welcomePage(): string {
  return page(
    "Demo identity provider",
    `${NO_PASSWORD}<p>A client sends you here to sign in. Its metadata is at
<a href="/.well-known/openid-configuration">/.well-known/openid-configuration</a>.</p>`,
  );
}

/** `detail` is one of our own sentences, with an error code at most: never text of the request. */
export function faultPage(detail: string): string {
  return page("That did not work", `<p>${detail}</p>`);
}
