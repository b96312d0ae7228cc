import type { OpenApi } from '../../../schemas/openapi/openApi.ts';
import { PERSON_ROLES, type Grant, type KeyRecord, type SecretState } from '../../../schemas/keys.ts';
import type { ShopZones } from '../../../schemas/zone.ts';
import type { SessionAnswer } from './sessionAnswer.ts';
import {
  choiceField,
  flagField,
  listField,
  nullable,
  objectOf,
  optional,
  textField,
  textsField,
  timeField,
  valuesField,
  wholeField,
} from './schemaWords.ts';

interface Listed {
  id: string;
  state: SecretState;
}
/** A token in lists: of a reader, or of an operator. */
interface ListedToken extends Listed {
  role?: string;
  tenantId?: string;
  segmentIds?: string[];
  label: string;
  createdAt: string;
  expiresAt?: string;
  revokedAt?: string;
}
type ListedKey = KeyRecord & Listed;
interface NewKey {
  segmentId: string;
  kind?: string;
  origins?: string[];
  quotaEventsPerSecond?: number;
  label?: string;
  expiresAt?: string;
}
type NewToken = Pick<NewKey, 'label' | 'expiresAt'> & { segmentIds?: string[] };

const STATES: readonly SecretState[] = ['active', 'expiring', 'expired', 'revoked'];
const LISTED = {
  id: textField('Id: the first 16 hex digits of the hash of the secret.'),
  state: choiceField(STATES, 'Whether it works; active and expiring ones do.'),
};
const RECORD = {
  label: textField('What it is for.'),
  createdAt: timeField('Time of creation.'),
  expiresAt: optional(timeField('Time of expiry.')),
  revokedAt: optional(timeField('Time of revocation.')),
};
const KEY = {
  ...LISTED,
  ...RECORD,
  tenantId: textField('The tenant.'),
  segmentId: textField('The segment.'),
  kind: choiceField(['browser', 'server'], 'A browser key is public; browsers must not send a server key.'),
  origins: textsField('Origins that may send with it; empty: any.'),
  quotaEventsPerSecond: optional(wholeField('Most events per second to one receiver.')),
};
const TOKEN = {
  ...LISTED,
  ...RECORD,
  role: optional(textField('"operator", or absent.')),
  tenantId: optional(textField('The tenant of a read token.')),
  segmentIds: optional(textsField('Readable segments of a read token; empty: all.')),
};

/** Schemas of keys, tokens and the session. */
export const ACCESS_SCHEMAS: Readonly<Record<string, OpenApi>> = {
  KeyList: objectOf<{ keys: ListedKey[] }>('Keys, oldest first.', { keys: listField('Key', 'The keys.') }),
  Key: objectOf<ListedKey>('An instrumentation key without its secret.', KEY),
  NewKey: {
    ...objectOf<NewKey>('A key to create.', {
      segmentId: textField('The segment.'),
      kind: optional(choiceField(['browser', 'server'], 'Absent: browser.')),
      origins: optional(textsField('Origins such as https://shop.example; absent: any.')),
      quotaEventsPerSecond: optional(wholeField('Most events per second to one receiver.')),
      label: optional(textField('What it is for, at most 200 characters.')),
      expiresAt: optional(timeField('Time of expiry.')),
    }),
    additionalProperties: false,
  },
  CreatedKey: objectOf<ListedKey & { key: string }>('A new key; only this answer has its secret.', {
    key: textField('The secret.'),
    ...KEY,
  }),
  TokenList: objectOf<{ tokens: ListedToken[] }>('Tokens, oldest first.', {
    tokens: listField('Token', 'The tokens.'),
  }),
  Token: objectOf<ListedToken>('A token without its secret.', TOKEN),
  NewToken: {
    ...objectOf<NewToken>('A read token to create.', {
      segmentIds: optional(textsField('Readable segments; absent: all.')),
      label: optional(textField('What it is for, at most 200 characters.')),
      expiresAt: optional(timeField('Time of expiry.')),
    }),
    additionalProperties: false,
  },
  CreatedToken: objectOf<ListedToken & { token: string }>('A new token; only this answer has its secret.', {
    token: textField('The secret.'),
    ...TOKEN,
  }),
  Session: objectOf<SessionAnswer>('The holder of a token.', {
    role: choiceField(['reader', 'operator', 'person'], 'What the holder may do; of a person, grants say it.'),
    tokenId: textField('Id of the token.'),
    label: textField('What the token is for.'),
    name: optional(textField('Name of a person who signed in.')),
    grants: optional(listField('Grant', 'Roles of a person who is no operator.')),
    expiresAt: optional(timeField('When the token expires.')),
    tenants: listField('SessionTenant', 'Tenants that may be chosen.'),
  }),
  Grant: objectOf<Grant>('A role of a person in a tenant.', {
    role: choiceField(PERSON_ROLES, 'The role.'),
    tenantId: textField('The tenant.'),
    segmentIds: textsField('The segments; empty: all.'),
  }),
  SignInMethods: objectOf<{ provider: boolean }>('Ways to sign in, besides tokens.', {
    provider: flagField('Whether people can sign in with an OpenID provider.'),
  }),
  SignedOut: objectOf<{ providerUrl?: string }>('A session has ended.', {
    providerUrl: optional(textField('Address that ends the session at the provider too.')),
  }),
  ShopZones: objectOf<ShopZones>('Time zones of the shops of a tenant, by IANA name.', {
    zone: textField('Zone of the tenant, and of segments that are not listed.'),
    segments: valuesField(textField('Zone of the segment.'), 'Zones of segments, where they were set.'),
  }),
  NewZone: {
    ...objectOf<{ segmentId?: string; zone: string | null }>('The time zone of a tenant, or of a segment.', {
      segmentId: optional(textField('The segment; absent: the tenant.')),
      zone: nullable(textField('IANA name such as Europe/Copenhagen; null removes the setting.')),
    }),
    additionalProperties: false,
  },
  SessionTenant: objectOf<SessionAnswer['tenants'][number]>('A tenant that may be chosen.', {
    tenantId: textField('The tenant.'),
    segmentIds: textsField('Its segments.'),
  }),
};
