/** A service that is replaced, in several copies. */
export type ServiceName = 'processor' | 'ingest' | 'lake';
/** Versions of a test: the one before, and the one of this working copy. */
export type Version = 'before' | 'now';

/** One step of an upgrade or of the way back. */
export type Step =
  { kind: 'rights' } | { kind: 'schemas' } | { kind: 'replace'; member: string; role: ServiceName; version: Version };

/** The order of docs/operator.md, "Upgrading". */
const UPGRADE_ORDER: readonly ServiceName[] = ['processor', 'ingest', 'lake'];

/**
 * Plans an upgrade and the way back, one process at a time. Pure.
 *
 * The rights of the new version come first, and stay. The way back has the reverse order. Before it, the older version
 * records its schemas, because no process starts below those in use.
 * @param members names of the processes, by role
 */
export function planSteps(members: Readonly<Record<ServiceName, readonly string[]>>): Step[] {
  const replace = (roles: readonly ServiceName[], version: Version): Step[] =>
    roles.flatMap((role) => members[role].map((member) => ({ kind: 'replace' as const, member, role, version })));
  return [
    { kind: 'rights' },
    ...replace(UPGRADE_ORDER, 'now'),
    { kind: 'schemas' },
    ...replace(UPGRADE_ORDER.toReversed(), 'before'),
  ];
}

/** A step in words. */
export function describeStep(step: Step, names: Readonly<Record<Version, string>>): string {
  if (step.kind === 'rights') return `rights of ${names.now}`;
  if (step.kind === 'schemas') return `schemas of ${names.before}`;
  return `${step.member} becomes ${names[step.version]}`;
}
