/** How a person signed in (`acr`), and when, epoch seconds: OpenID Connect Core §2, RFC 9470 §6. */
export type SignIn = { acr?: string; auth_time?: number };
