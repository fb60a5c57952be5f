import { countText } from "./blast.tsx";
import { Confirm } from "./confirm.tsx";
import { FilterForm, FilterSelect } from "./filter-form.tsx";
import type { EndpointView } from "./operator-wire.ts";
import { Time } from "./time.tsx";
import type { Visitor } from "./visitor.ts";
import { endpointPath } from "./webhooks-page.tsx";

/** How far back dead letters are looked for, in seconds. They are kept for 30 days. */
export const PERIODS = { "3600": "hour", "86400": "day", "604800": "week", "2592000": "30 days" } as const;
export type Period = keyof typeof PERIODS;
/** Where nobody has chosen. */
export const DAY = "86400" satisfies Period;

type Props = {
  endpoint: EndpointView;
  visitor: Pick<Visitor, "csrfToken">;
  period: Period;
  /** Epoch seconds. */
  since: number;
  counted: { redelivered: number; remaining: number };
  now: number;
};

/** Says how many dead letters would be sent again, before the button that does it. */
export function SendAgain({ endpoint, visitor, period, since, counted, now }: Props) {
  const path = endpointPath(endpoint.id);
  const { redelivered, remaining } = counted;
  return (
    <>
      <FilterForm action={`${path}/again`}>
        <FilterSelect
          name="within"
          label="Given up within the last"
          options={Object.keys(PERIODS).filter((each) => each !== DAY)}
          value={period}
          any={PERIODS[DAY]}
          textOf={(option) => PERIODS[option as Period]}
        />
      </FilterForm>
      {redelivered === 0 ? (
        <p class="notice">
          Nothing was given up since <Time at={since} now={now} />
          {remaining > 0 ? ", or too much waits already." : "."} <a href={path}>To the endpoint</a>
        </p>
      ) : (
        <Confirm
          action={`${path}/again`}
          visitor={visitor}
          verb={`Send ${countText(redelivered, "dead letter")} again`}
          back={path}
          fields={{ since: String(since) }}
        >
          <p>
            {endpoint.url} gets again what was given up since <Time at={since} now={now} />:{" "}
            {countText(redelivered, "message")}, the oldest first, with the ids that they had.
          </p>
          {remaining > 0 ? (
            <p class="notice">{countText(remaining, "more dead letter")} are left for another time.</p>
          ) : null}
        </Confirm>
      )}
    </>
  );
}
