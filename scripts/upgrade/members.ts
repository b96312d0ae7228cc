import { join, relative } from 'node:path';
import { pathToFileURL, fileURLToPath } from 'node:url';
import { startChild, type ChildSpec, type StackProcess } from '../stack/child.ts';
import type { ServiceName, Version } from './order.ts';
import { sourcesHere, type Unpacked } from './version.ts';

/** The processes of a deployment, each of a version that can change. */
export interface Members {
  /** Names by role. */
  readonly names: Readonly<Record<ServiceName, readonly string[]>>;
  /** Base URLs of a role's processes, which keep their ports. */
  urls: (role: ServiceName) => string[];
  /** Stops a process as an operator does, and starts it in another version. */
  replace: (name: string, version: Version) => Promise<void>;
  /** Processes that ended without being asked. */
  readonly ended: readonly string[];
  stop: () => Promise<void>;
}

const ROLES: readonly ServiceName[] = ['processor', 'ingest', 'lake'];

/** Starts all processes in the earlier version. */
export async function startMembers(
  specs: readonly ChildSpec[],
  versions: Readonly<Record<Version, Unpacked>>,
): Promise<Members> {
  const running = new Map<string, StackProcess>();
  const ended: string[] = [];
  const start = async (spec: ChildSpec, version: Version): Promise<void> => {
    const child = await startChild(inVersion(spec, versions[version]), running.get(spec.name)?.facts);
    running.set(spec.name, child);
    void child.exited.then(() => {
      if (running.get(spec.name) === child) ended.push(spec.name);
    });
  };
  const stop = async (): Promise<void> => {
    const all = [...running.values()];
    running.clear();
    await Promise.all(all.map((child) => child.stop()));
  };
  const names = Object.fromEntries(
    ROLES.map((role) => [role, specs.map(({ name }) => name).filter((name) => roleOf(name) === role)]),
  ) as Record<ServiceName, string[]>;
  try {
    // Receivers wait for what the others make.
    const receivers = specs.filter(({ name }) => roleOf(name) === 'ingest');
    await Promise.all(specs.filter((spec) => !receivers.includes(spec)).map((spec) => start(spec, 'before')));
    await Promise.all(receivers.map((spec) => start(spec, 'before')));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    names,
    urls: (role) => names[role].map((name) => `http://127.0.0.1:${running.get(name)!.facts.port}`),
    async replace(name, version) {
      const child = running.get(name)!;
      // Taken out only for the moment of its wanted end, so that its port is known to the next.
      running.set(name, { ...child });
      await child.stop();
      await start(
        specs.find((spec) => spec.name === name)!,
        version,
      );
    },
    ended,
    stop,
  };
}

/** The same process from the sources of a version. */
function inVersion(spec: ChildSpec, { root, node }: Unpacked): ChildSpec {
  const path = relative(sourcesHere().root, fileURLToPath(spec.program));
  return { ...spec, program: pathToFileURL(join(root, path)), node };
}

function roleOf(name: string): ServiceName {
  return name.replace(/-\d+$/, '') as ServiceName;
}
