import { Empty } from "./notice.tsx";
import { openQuestion } from "./question.ts";
import { requestPath, Wish } from "./request-view.tsx";
import { ReviewForm } from "./review-form.tsx";
import type { Standing } from "./standing.ts";
import { Pager } from "./table.tsx";
import { Countdown } from "./time.tsx";
import type { Visitor } from "./visitor.ts";
import type { RequestView } from "./wire.ts";

type InboxProps = {
  items: readonly RequestView[];
  standings: ReadonlyMap<string, Standing>;
  highRisk: ReadonlySet<string>;
  visitor: Visitor;
  now: number;
  /** Names what is shown: another one means that something has changed. */
  version: string;
  cursor: string | undefined;
  next: string | undefined;
};

/** The requests that wait for the visitor, newest first. */
export function Inbox({ items, standings, highRisk, visitor, now, version, cursor, next }: InboxProps) {
  return (
    <>
      <p class="quiet" id="live-status" role="status"></p>
      <div data-live={version} data-keys="">
        {items.length === 0 ? (
          <Empty title="Nothing waits for you">
            Requests that you may review appear here. The page looks for new ones by itself.
          </Empty>
        ) : (
          <>
            {items.map((request) => (
              <Item
                request={request}
                standing={standings.get(request.requester) ?? {}}
                highRisk={highRisk.has(request.rule)}
                visitor={visitor}
                now={now}
              />
            ))}
            <BulkDeny many={items.length > 1} />
          </>
        )}
      </div>
      <Pager path="/console/inbox" query={{ cursor }} next={next} />
      <Keys />
    </>
  );
}

type ItemProps = {
  request: RequestView;
  standing: Standing;
  highRisk: boolean;
  visitor: Visitor;
  now: number;
};

const WHAT = { request: "asks for", extension: "asks for more time on", emergency: "took, in an emergency," };

function Item({ request, standing, highRisk, visitor, now }: ItemProps) {
  const question = openQuestion(request);
  if (!question) return null;
  const title = `title-${request.id}`;
  return (
    <article class="card" data-item="" tabindex={-1} aria-labelledby={title}>
      <header>
        <h2 id={title}>
          <a href={requestPath(request.id)}>
            {request.requester} {WHAT[question.kind]} {request.resource}
          </a>
        </h2>
        <Countdown until={question.deadline} now={now} over="the time to decide is over" />
      </header>
      <div class="asked">
        <div>
          <Wish request={request} standing={standing} question={question} now={now} />
        </div>
        <div>
          <ReviewForm
            request={request}
            question={question}
            visitor={visitor}
            highRisk={highRisk}
            from="inbox"
          />
          {question.kind === "emergency" ? null : (
            <label class="choice">
              <input type="checkbox" name="id" value={request.id} form="bulk" />
              Select, to deny several at once
            </label>
          )}
        </div>
      </div>
    </article>
  );
}

/** Leads to a page that says what will be denied. */
function BulkDeny({ many }: { many: boolean }) {
  if (!many) return <form id="bulk" method="get" action="/console/inbox/deny" hidden></form>;
  return (
    <form id="bulk" method="get" action="/console/inbox/deny">
      <button type="submit" class="second">
        Deny the selected ones…
      </button>
    </form>
  );
}

const KEYS = [
  ["j", "next request"],
  ["k", "the one before"],
  ["a", "to its approve button; Enter presses it"],
  ["d", "to its deny button; Enter presses it"],
  ["?", "this list"],
] as const;

function Keys() {
  return (
    <dialog id="keys" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <dl class="facts">
        {KEYS.map(([key, what]) => (
          <div>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit" class="second">
          Close
        </button>
      </form>
    </dialog>
  );
}
