import { Confirm } from "./confirm.tsx";
import type { EndpointView } from "./operator-wire.ts";
import type { Visitor } from "./visitor.ts";
import { EndpointFacts } from "./webhook-page.tsx";
import { endpointPath } from "./webhooks-page.tsx";

export type EndpointAct = "rotate" | "pause" | "delete";

/** So many, or at least so many. */
export type Counted = { count: number; exact: boolean };

type Props = {
  endpoint: EndpointView;
  act: EndpointAct;
  waiting: Counted;
  /** Its dead letters. */
  givenUp: Counted;
  visitor: Pick<Visitor, "csrfToken">;
  now: number;
};

const VERBS: Record<EndpointAct, string> = {
  rotate: "Make a new secret",
  pause: "Pause the endpoint",
  delete: "Delete the endpoint",
};

/** Says what an act on an endpoint ends. */
export function ConfirmEndpointAct({ endpoint, act, waiting, givenUp, visitor, now }: Props) {
  const path = endpointPath(endpoint.id);
  return (
    <Confirm action={`${path}/${act}`} visitor={visitor} verb={VERBS[act]} back={path}>
      <p>{saysOf(act, waiting, givenUp)}</p>
      <EndpointFacts endpoint={endpoint} now={now} />
    </Confirm>
  );
}

function saysOf(act: EndpointAct, waiting: Counted, givenUp: Counted): string {
  switch (act) {
    case "rotate":
      return "What is sent from now on is signed with the new secret and the one before it; older ones stop now. The next page shows the new one once.";
    case "pause":
      return `It is told of nothing until it is enabled again: what happens meanwhile is not kept for it. ${
        waiting.count === 0
          ? "Nothing waits to be sent."
          : `Not sent now: ${manyText(waiting, "delivery that waits", "deliveries that wait")}; each becomes a dead letter, which can be sent again later.`
      }`;
    case "delete":
      return `It is told of nothing more. Gone for good: ${manyText(waiting, "delivery that waits", "deliveries that wait")}, ${manyText(givenUp, "dead letter", "dead letters")} and the record of what was delivered.`;
  }
}

/** `no dead letter`, `1 dead letter`, `200 dead letters or more`. */
function manyText({ count, exact }: Counted, one: string, many: string): string {
  if (count === 0) return `no ${one}`;
  if (count === 1) return `1 ${one}`;
  return `${count.toLocaleString("en")} ${many}${exact ? "" : " or more"}`;
}
