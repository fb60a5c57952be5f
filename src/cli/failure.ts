import { PortcullisOAuthError, PortcullisProblem, PortcullisUnreachable } from "../client/portcullis.ts";

/** How the command ended, for scripts; `docs/cli.md` lists them. */
export const EXIT = {
  done: 0,
  /** The deployment, or a person, said no; or what was looked at is not in order. */
  refused: 1,
  /** The command itself is wrong: an unknown flag, a missing value, a file that cannot be read. */
  usage: 2,
  /** Nobody is signed in, or the sign-in is over. */
  signedOut: 3,
  /** No deployment answered. */
  unreachable: 4,
  /** What was waited for did not come in time. */
  timedOut: 5,
  interrupted: 130,
} as const;

/** What went wrong, as the person at the terminal is told: what, and what to do next. */
export class CliFailure extends Error {
  override name = "CliFailure";
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(message: string, exitCode: number, hint?: string) {
    super(message);
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

export function usageFault(message: string, hint?: string): CliFailure {
  return new CliFailure(message, EXIT.usage, hint);
}

const SIGN_IN = "portcullis login";

/** Whatever was thrown, as what the person is told. No failure of the client holds a token. */
export function failureOf(fault: unknown): CliFailure {
  if (fault instanceof CliFailure) return fault;
  if (fault instanceof PortcullisProblem) return problemFailure(fault);
  if (fault instanceof PortcullisOAuthError) {
    return new CliFailure(fault.message, EXIT.signedOut, `Sign in again: ${SIGN_IN}`);
  }
  if (fault instanceof PortcullisUnreachable) {
    return new CliFailure(
      fault.message,
      EXIT.unreachable,
      "Is the address right? portcullis doctor looks further.",
    );
  }
  if (fault instanceof Error && fault.name === "AbortError")
    return new CliFailure("Interrupted.", EXIT.interrupted);
  return new CliFailure(fault instanceof Error ? fault.message : String(fault), EXIT.refused);
}

function problemFailure(problem: PortcullisProblem): CliFailure {
  const { members, requestId } = problem;
  const faults = Array.isArray(members.faults)
    ? members.faults.map((each) => `\n  ${String(each)}`).join("")
    : "";
  const message = `${problem.title}: ${problem.detail}${faults}`;
  if (problem.status === 401) return new CliFailure(message, EXIT.signedOut, `Sign in again: ${SIGN_IN}`);
  const named = requestId === undefined ? undefined : `The log has it under ${requestId}.`;
  return new CliFailure(message, EXIT.refused, problem.status >= 500 ? named : undefined);
}
