import { CONTROL_SCOPES } from "../policy/control-scopes.ts";
import { DEVICE_CODE } from "./device-login.ts";

/** The command line's client. It has no secret (RFC 6749 §2.1): what it may do is what its person confirms. */
export const COMMAND_LINE_CLIENT = {
  id: "portcullis-cli",
  grant_types: [DEVICE_CODE, "refresh_token"],
  scopes: [...CONTROL_SCOPES],
  roles: [],
};
