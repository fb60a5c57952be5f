import { writeFileSync } from "node:fs";
import { contractText } from "./contract.ts";
import { describeSource } from "./described-app.ts";

// `npm run api`: what is made of the API's description is written anew.
const document = await describeSource();
writeFileSync(new URL("../src/client/contract.ts", import.meta.url).pathname, contractText(document));
