import type { Rights } from './rights.ts';

/** Proof of an identity at nats-server: an nkey, or a name with a password. */
export type Proof = { nkey: string } | { user: string; password: string };

/**
 * The authorization block of nats-server's configuration.
 *
 * It holds the users of the global account, in which streams made without locks are too. Nobody else may connect.
 */
export function usersConfig(users: readonly { proof: Proof; rights: Rights }[]): string {
  const entries = users.map(
    ({ proof, rights }) => `    ${JSON.stringify({ ...proof, permissions: permissions(rights) })}`,
  );
  return `# Written by "spor access". The list is whole: it is replaced, never added to.
authorization {
  users: [
${entries.join('\n')}
  ]
}
`;
}

function permissions({ publish, subscribe }: Rights): unknown {
  // An empty list of allowed subjects would allow all.
  return { publish: publish.length === 0 ? { deny: '>' } : { allow: publish }, subscribe: { allow: subscribe } };
}
