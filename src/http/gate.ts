/** Groups of routes that want a role. A route belongs to one by being used there: no second reading of its path decides. */

import { Elysia } from 'elysia';
import type { Role } from '../domain/role.ts';
import type { Audit } from './audit.ts';
import type { Guard } from './guard.ts';

/** The role that a method of a group wants; undefined if any token will do. */
export type Wants = (method: string) => Role | undefined;

/** For SIP proxies. */
export const wantsCall: Wants = () => 'call';
/** For people and their tools: whoever may look may not change. */
export const wantsRead: Wants = (method) => (method === 'GET' || method === 'HEAD' ? 'read' : 'admin');
export const wantsAny: Wants = () => undefined;

/**
 * An empty group; use routes in it. Its hook comes before validation: whoever may not ask learns nothing else.
 */
export function gate(wants: Wants, guard: Guard, audit: Audit) {
  const check = (request: Request): void => {
    const wanted = wants(request.method);
    const { who, refusal } = guard.admit(request, wanted);
    if (wanted === 'admin' && who !== '') audit.begin(request, who);
    if (refusal !== undefined) throw refusal;
  };

  return new Elysia()
    .onTransform(({ request }) => check(request))
    .onAfterHandle(({ request, responseValue }) => {
      if (responseValue instanceof Response) audit.end(request, responseValue.status);
    });
}
