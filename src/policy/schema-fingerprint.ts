// Written by `npm run api` from the schema of policy documents. Do not edit.

export const SCHEMA_FINGERPRINT = "8a85d53bc284";
