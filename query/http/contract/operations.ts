import {
  CREATE_KEY,
  CREATE_TOKEN,
  GET_SESSION,
  GET_ZONES,
  LIST_KEYS,
  LIST_TOKENS,
  REVOKE_KEY,
  REVOKE_TOKEN,
  SET_ZONE,
  WATCH_EVENTS,
} from './accessOperations.ts';
import { GET_USAGE } from './accountOperations.ts';
import type { Operation } from './operation.ts';
import {
  GET_COMPLETENESS,
  GET_HEALTH,
  GET_LAG,
  GET_METRICS,
  GET_OPENAPI,
  GET_READINESS,
  GET_RECEIPT,
  LIST_CHANGES,
  LIST_REPORTS,
  RUN_QUERY,
  RUN_REPORT,
} from './readOperations.ts';

/** All operations of the query server. Only the pages of the console are routes without one. */
export const OPERATIONS: readonly Operation[] = [
  RUN_QUERY,
  LIST_REPORTS,
  RUN_REPORT,
  GET_RECEIPT,
  GET_COMPLETENESS,
  LIST_CHANGES,
  GET_LAG,
  GET_USAGE,
  WATCH_EVENTS,
  GET_SESSION,
  LIST_KEYS,
  CREATE_KEY,
  REVOKE_KEY,
  LIST_TOKENS,
  CREATE_TOKEN,
  REVOKE_TOKEN,
  GET_ZONES,
  SET_ZONE,
  GET_HEALTH,
  GET_READINESS,
  GET_METRICS,
  GET_OPENAPI,
];
