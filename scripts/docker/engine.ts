import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A compose file as a project of its own, with the engine and the compose that this machine has. */
export interface ComposeProject {
  /** Runs a command of compose, such as `up -d`. @returns what it printed */
  compose: (...args: string[]) => Promise<string>;
  /** Runs a command of docker. @returns what it printed */
  docker: (...args: string[]) => Promise<string>;
  /** Containers of the project as docker describes them, by service. */
  containers: (service?: string) => Promise<Container[]>;
}

export interface Container {
  id: string;
  service: string;
  user: string;
  readOnly: boolean;
  state: string;
  /** Absent: the service has no check. */
  health: string | undefined;
}

const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;

async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args, { maxBuffer: MOST_OUTPUT_BYTES })).stdout.trim();
}

/** The version of the running engine, or why there is none. */
export async function findEngine(): Promise<{ version: string } | { unavailable: string }> {
  try {
    return { version: await docker('version', '--format', '{{.Server.Version}}') };
  } catch (error) {
    return { unavailable: (error as Error).message.trim().split('\n').at(-1)! };
  }
}

/**
 * Opens a compose file as a project.
 * @param options.env file with the variables; `dir`: an empty folder
 * @throws Error if neither `docker compose` nor `docker-compose` is there
 */
export async function openProject(options: {
  name: string;
  folder: string;
  env: string;
  dir: string;
}): Promise<ComposeProject> {
  const { name, folder, env, dir } = options;
  const found = await findCompose();
  let file = join(folder, 'docker-compose.yml');
  if (found.old) {
    // Version 1 does not know the line "name:".
    const text = await readFile(file, 'utf8');
    file = join(dir, 'docker-compose.yml');
    await writeFile(file, text.replace(/^name: .*$/m, ''));
  }
  const [program, ...first] = found.command;
  const common = [...first, '--project-name', name, '--project-directory', folder, '--env-file', env, '--file', file];
  return {
    docker,
    compose: async (...args) =>
      (await run(program!, [...common, ...args], { maxBuffer: MOST_OUTPUT_BYTES })).stdout.trim(),
    containers: async (service) => {
      const labels = [`label=com.docker.compose.project=${name}`, 'label=com.docker.compose.oneoff=False'];
      if (service) labels.push(`label=com.docker.compose.service=${service}`);
      const ids = await docker('ps', '--quiet', ...labels.flatMap((label) => ['--filter', label]));
      if (ids === '') return [];
      return (JSON.parse(await docker('inspect', ...ids.split('\n'))) as Inspected[]).map((one) => ({
        id: one.Id,
        service: one.Config.Labels['com.docker.compose.service']!,
        user: one.Config.User,
        readOnly: one.HostConfig.ReadonlyRootfs,
        state: one.State.Status,
        health: one.State.Health?.Status,
      }));
    },
  };
}

interface Inspected {
  Id: string;
  Config: { Labels: Record<string, string>; User: string };
  HostConfig: { ReadonlyRootfs: boolean };
  State: { Status: string; Health?: { Status: string } };
}

async function findCompose(): Promise<{ command: string[]; old: boolean }> {
  for (const command of [['docker', 'compose'], ['docker-compose']]) {
    const [program, ...args] = command as [string, ...string[]];
    try {
      const { stdout } = await run(program, [...args, 'version', '--short']);
      return { command, old: stdout.trim().replace(/^v/, '').startsWith('1.') };
    } catch {
      continue; // not there: the next one
    }
  }
  throw new Error('neither "docker compose" nor "docker-compose" is installed');
}
