import { DurableObject } from "cloudflare:workers";

export { AccessRequestObject } from "./access/access-request-object.ts";
export { DirectoryObject } from "./access/directory-object.ts";
export { LogObject } from "./replication/log-object.ts";
export { KeyringObject } from "./tokens/keyring-object.ts";
export { EndpointObject } from "./webhooks/endpoint-object.ts";
export class RegistryObject extends DurableObject {}
export default { fetch: () => new Response("ok") } satisfies ExportedHandler;
