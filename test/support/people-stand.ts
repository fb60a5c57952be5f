import { peopleIssuer } from "./people-issuer.ts";
import { type Stand, standUp } from "./stand.ts";
import type { testPolicy } from "./test-policy.ts";

/** A stand that also trusts an issuer of people. */
export type PeopleStand = Stand & { people: Awaited<ReturnType<typeof peopleIssuer>> };

/** `change` makes the policy from the tests' own, in which the issuer is there. */
export async function standUpWithPeople(
  change: (policy: ReturnType<typeof testPolicy>) => object = (policy) => policy,
): Promise<PeopleStand> {
  const people = await peopleIssuer();
  const stand = await standUp((policy) =>
    change({ ...policy, issuers: [...policy.issuers, people.trusted] } as typeof policy),
  );
  return { ...stand, people };
}
