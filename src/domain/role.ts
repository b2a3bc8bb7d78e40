/** What the bearer of a token may do. */

/** `call`: media requests. `read`: look at everything. `admin`: all. */
export const ROLES = ['call', 'read', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** A bearer token. */
export interface Token {
  readonly role: Role;
  /** Who has it, for the audit; never the token itself. */
  readonly name: string;
  /** Never to be shown or logged. */
  readonly token: string;
}

/** Whether a role is enough where another one is wanted. */
export function covers(role: Role, wanted: Role): boolean {
  return role === 'admin' || role === wanted;
}
