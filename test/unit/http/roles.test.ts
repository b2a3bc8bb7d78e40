/** Which role opens which route: what the description says is what happens, for every operation in it. */

import { describe, expect, test } from 'bun:test';
import { covers, ROLES, type Role, type Token } from '../../../src/domain/role.ts';
import { makeApi } from './api.ts';

const TOKENS: Token[] = ROLES.map((role) => ({
  role,
  name: `the-${role}`,
  token: `token-of-a-${role}-0123`,
}));
const as = (role: Role): Record<string, string> => ({ authorization: `Bearer token-of-a-${role}-0123` });
const api = makeApi({ guard: { tokens: TOKENS } });

interface Operation {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  /** Any of these ways will do; an empty one is for all. */
  readonly security: readonly { readonly token?: readonly Role[] }[];
}

const document = (await (await api.ask('GET', '/openapi.json', { headers: as('read') })).json()) as {
  paths: Record<string, Record<string, { security: Operation['security'] }>>;
};
const OPERATIONS: Operation[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { security }]) => ({
    name: `${method.toUpperCase()} ${path}`,
    method: method.toUpperCase(),
    path: path.replace('{id}', '999').replace('{call-id}', 'c1'),
    security,
  })),
);
/** Those that are left out of the description. */
const HIDDEN: Operation[] = [
  ...['auto', 'offer', 'answer', 'delete', 'query', 'command'].flatMap((word) =>
    ['PUT', 'GET'].map((method) => ({ method, path: `/v1/media/${word}`, role: 'call' as const })),
  ),
  { method: 'HEAD', path: '/v1/nodes', role: 'read' as const },
].map(({ method, path, role }) => ({
  name: `${method} ${path}`,
  method,
  path,
  security: [{ token: [role] }],
}));

const rolesOf = ({ security }: Operation): readonly Role[] => security.flatMap(({ token = [] }) => token);
const isOpen = ({ security }: Operation): boolean => security.every(({ token }) => token === undefined);
const GUARDED = [...OPERATIONS, ...HIDDEN].filter((operation) => !isOpen(operation));

/** Status of an operation, with a body that changes nothing. */
async function statusOf(
  { method, path }: Operation,
  headers: Record<string, string>,
): Promise<readonly [number, string]> {
  const hasBody = method !== 'GET' && method !== 'HEAD';
  const response = await api.ask(method, path, {
    headers: { ...headers, 'content-type': 'application/json' },
    ...(hasBody ? { body: '{}' } : {}),
  });
  // A stream has no end; what it is asked for has been decided.
  if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
    await response.body?.cancel();

    return [response.status, ''];
  }
  const text = await response.text();

  return [response.status, /RTPC_[A-Z_]+/.exec(text)?.[0] ?? ''];
}

test('the description says of every operation who may, and only supervisors and whoever logs in need no role', () => {
  expect(OPERATIONS.length).toBeGreaterThan(25);
  expect(OPERATIONS.filter(isOpen).map(({ name }) => name)).toEqual([
    'GET /v1/session',
    'POST /v1/session',
    'DELETE /v1/session',
    'GET /healthz',
    'GET /readyz',
  ]);
  for (const operation of GUARDED)
    expect([operation.name, rolesOf(operation).length]).toEqual([operation.name, 1]);
});

test('media requests want call, reading wants read, and all that changes something admin', () => {
  const wrong = OPERATIONS.filter((operation) => !isOpen(operation)).filter((operation) => {
    const isMedia = /^\/(?:ng$|v1\/(?:media|notify)\/)/.test(operation.path);
    const wanted = isMedia ? 'call' : operation.method === 'GET' ? 'read' : 'admin';

    return rolesOf(operation)[0] !== wanted;
  });
  expect(wrong).toEqual([]);
});

describe.each(GUARDED)('$name', (operation) => {
  const [wanted = 'admin'] = rolesOf(operation);

  test('wants a token', async () => {
    expect((await statusOf(operation, {}))[0]).toBe(401);
  });

  test.each([...ROLES])('and takes that of role %s only if it is enough', async (role) => {
    const [status, code] = await statusOf(operation, as(role));
    const hasBody = operation.method !== 'HEAD';
    if (covers(role, wanted)) expect([401, 403, 429]).not.toContain(status);
    else expect([status, code]).toEqual([403, hasBody ? 'RTPC_FORBIDDEN' : '']);
  });
});

test('a refusal names the token, its role and what is wanted, and never the token itself', async () => {
  const response = await api.ask('POST', '/v1/nodes', { headers: as('read'), body: '{' });
  // The body is read first, so any token learns that it is none; a good one is refused.
  expect(response.status).toBe(400);
  const refused = await api.ask('DELETE', '/v1/nodes/0', { headers: as('read') });
  const text = await refused.text();
  expect(JSON.parse(text)).toEqual({
    code: 'RTPC_FORBIDDEN',
    message: 'the token "the-read" has the role read; this wants admin',
  });
  expect(api.fleet.list()).toHaveLength(2);
});

test.each(['/openapi', '/openapi.json'])('%s is for any token', async (path) => {
  for (const role of ROLES) expect((await api.ask('GET', path, { headers: as(role) })).status).toBe(200);
  expect((await api.ask('GET', path)).status).toBe(401);
});

test('which paths there are is told to any token, and to nobody else', async () => {
  for (const role of ROLES)
    expect((await api.ask('GET', '/nothing', { headers: as(role) })).status).toBe(404);
  expect((await api.ask('GET', '/nothing')).status).toBe(401);
});

test('that a body is no JSON is told to any token, and to nobody else', async () => {
  const headers = { 'content-type': 'application/json' };
  for (const path of ['/v1/nodes', '/v1/nodes/0/drain', '/v1/fleet']) {
    expect((await api.ask('POST', path, { headers, body: '{' })).status).toBe(401);
    const known = await api.ask('POST', path, { headers: { ...headers, ...as('call') }, body: '{' });
    expect(known.status).toBe(400);
  }
});
