import { type Operations, raw } from "../platform/operation.ts";

const PAGE = [
  '{"portcullis_backup":1,"id":"bak_01m80vge8se3ps2w3e76kefsk1","issuer":"https://auth.example.com","taken_at":1795325180,"taken_by":"operator"}',
  '{"object":"LogObject","name":"main","schema":"8d0f…","columns":{"state":["rowid","name","value"]}}',
  '{"table":"state","row":[1,"policy","{…}"]}',
  '{"end":"LogObject","name":"main","rows":{"state":1},"sequences":{"entries":42}}',
  '{"page":1,"digest":"5f70…","mac":"q1Zt…","next":"v1.…"}',
].join("\n");

export const backupOperations: Operations = {
  "POST /v1/backup": {
    id: "backup.take",
    summary: "Take a page of a backup of everything that is stored",
    description:
      "The last line of a page has the `cursor` of the next one as `next`; after the last page comes a line that says how many there are. What is sealed stays sealed. `portcullis backup create` puts the pages together.",
    example: {},
    answers: { 200: raw("One line for each object, row and page.", "application/x-ndjson", PAGE) },
    errors: ["conflict"],
    client: false,
  },
};
