// Written by `npm run api` from the schema of policy documents. Do not edit.

export const SCHEMA_FINGERPRINT = "88cf5d33ff10";
