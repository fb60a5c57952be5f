import { writeFileSync } from "node:fs";
import { contractText } from "./contract.ts";
import { describeSource } from "./described-app.ts";
import { fingerprintText } from "./schema-fingerprint.ts";

const source = (path: string) => new URL(`../src/${path}`, import.meta.url).pathname;

// `npm run api`: what is made of the schemas is written anew.
writeFileSync(source("client/contract.ts"), contractText(await describeSource()));
writeFileSync(source("policy/schema-fingerprint.ts"), fingerprintText());
