import { html, raw } from "hono/html";
import type { Child } from "hono/jsx";
import { withUnseenShown } from "../platform/visible-text.ts";
import { assetPath } from "./assets.ts";
import { type Done, doneText } from "./done.ts";
import { type PlaceGroup, placesFor } from "./navigation.ts";
import type { Visitor } from "./visitor.ts";

export type PageProps = {
  title: string;
  visitor: Pick<Visitor, "subject" | "scopes">;
  /** The path of the place that the page belongs to. */
  place?: string | undefined;
  /** What a form did, as the address names it. */
  done?: Done | (string & {}) | undefined;
  /** Epoch seconds: what the countdowns count from. */
  now: number;
  children?: Child;
};

/** A whole document: header, navigation, what was done, and the page itself. */
export async function page(props: PageProps) {
  return raw(withUnseenShown(String(await html`<!doctype html>${<Document {...props} />}`)));
}

function Document({ title, visitor, place, done, now, children }: PageProps) {
  const told = doneText(done);
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="now" content={String(now)} />
        <title>{`${title} – Portcullis`}</title>
        <link rel="stylesheet" href={assetPath("console.css")} />
        <link rel="icon" href={assetPath("icon.svg")} />
        <script type="module" src={assetPath("console.js")}></script>
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to the page
        </a>
        <header class="top">
          <a class="brand" href="/console">
            Portcullis
          </a>
          <Navigation visitor={visitor} place={place} />
        </header>
        <main id="main" tabindex={-1}>
          <h1>{title}</h1>
          {told === undefined ? null : (
            <p class="notice good" role="status">
              {told}
            </p>
          )}
          {children}
        </main>
      </body>
    </html>
  );
}

/** On a narrow screen a menu behind a button, which the browser itself opens and shuts; on a wide one always there. */
function Navigation({ visitor, place }: Pick<PageProps, "visitor" | "place">) {
  const groups = placesFor(visitor);
  const here = groups.flatMap(({ places }) => places).find(({ path }) => path === place);
  return (
    <nav aria-label="Console">
      <button type="button" class="menu second" popovertarget="places">
        Menu {here ? <strong>{here.label}</strong> : null}
      </button>
      <div id="places" popover="auto">
        {groups.map((group) => (
          <Group {...group} place={place} />
        ))}
        <p class="who">
          <span class="subject">{visitor.subject}</span> <a href="/session/sign-out">Sign out</a>
        </p>
      </div>
    </nav>
  );
}

function Group({ name, places, place }: PlaceGroup & Pick<PageProps, "place">) {
  const id = `places-${name.toLowerCase()}`;
  return (
    <div class="group">
      <p id={id} class="quiet">
        {name}
      </p>
      <ul aria-labelledby={id}>
        {places.map(({ path, label }) => (
          <li>
            <a href={path} aria-current={path === place ? "page" : undefined}>
              {label}
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}
