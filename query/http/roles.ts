import type { Grant, PersonRole } from '../../schemas/keys.ts';
import type { Route } from './route.ts';

/** Addresses for people of every role. */
const EVERYBODY = [
  'GET /api/session',
  'GET /api/completeness',
  'GET /api/lag',
  'GET /api/quota',
  'GET /api/usage',
  'GET /api/zones',
];
const REPORTS = ['GET /api/reports', 'GET /api/reports/:name'];
const SENDING = [
  'POST /api/query',
  'GET /api/live',
  'GET /api/receipts/:id',
  'GET /api/changes',
  'GET /api/duplicates',
  'GET /api/keys',
];
const KEYS = ['POST /api/keys', 'POST /api/keys/:id/revoke'];

/** Addresses of each role; those of operators are no list, because they may do everything. */
const ADDRESSES: Record<PersonRole, ReadonlySet<string>> = {
  analyst: new Set([...EVERYBODY, ...REPORTS, ...SENDING, 'GET /api/audit']),
  merchandiser: new Set([...EVERYBODY, ...REPORTS]),
  integrator: new Set([...EVERYBODY, ...SENDING, ...KEYS, 'GET /api/audit']),
};

/** The grants of a person that count at an address. */
export function grantsFor(grants: readonly Grant[], { method, path }: Pick<Route, 'method' | 'path'>): Grant[] {
  return grants.filter(({ role }) => ADDRESSES[role].has(`${method} ${path}`));
}
