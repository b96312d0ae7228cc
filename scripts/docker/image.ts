import type { ComposeProject, Container } from './engine.ts';

/** Facts of a built image. */
export interface ImageFacts {
  bytes: number;
  user: string;
  labels: Record<string, string>;
  /** Packages in its bill of materials. */
  packages: number;
}

/**
 * Builds an image and reads what it says of itself.
 * @param options.args more arguments of docker build, such as `--network host`
 */
export async function buildImage(
  docker: ComposeProject['docker'],
  options: { tag: string; folder: string; args: readonly string[] },
): Promise<void> {
  await docker('build', '--quiet', '--tag', options.tag, ...options.args, options.folder);
}

/** @throws Error if the image has no bill of materials */
export async function readImage(docker: ComposeProject['docker'], tag: string): Promise<ImageFacts> {
  const [image] = JSON.parse(await docker('image', 'inspect', tag)) as [
    { Size: number; Config: { User: string; Labels: Record<string, string> | null } },
  ];
  const sbom = await docker(
    'run',
    '--rm',
    '--network',
    'none',
    tag,
    'node',
    '-p',
    `fs.readFileSync('/app/sbom.cdx.json', 'utf8')`,
  );
  const { components } = JSON.parse(sbom) as { components: unknown[] };
  return { bytes: image.Size, user: image.Config.User, labels: image.Config.Labels ?? {}, packages: components.length };
}

/** Ways in which a container of ours is less closed than it should be, tried inside it. */
export async function openDoors(
  docker: ComposeProject['docker'],
  { id, user, readOnly }: Container,
): Promise<string[]> {
  const program = `
    const open = [];
    const fs = require('node:fs');
    const tries = (what, act) => { try { act(); open.push(what); } catch {} };
    if (process.getuid() === 0) open.push('it runs as root');
    for (const file of ['/app/x', '/usr/bin/x', '/etc/x']) tries('it can write ' + file, () => fs.writeFileSync(file, ''));
    for (const shell of ['/bin/sh', '/bin/bash', '/usr/bin/apt']) if (fs.existsSync(shell)) open.push('it has ' + shell);
    const rights = /^CapEff:\\s*(\\w+)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1];
    if (!/^0+$/.test(rights)) open.push('it has rights of the host: ' + rights);
    fs.writeFileSync('/tmp/x', '');
    console.log(JSON.stringify(open));`;
  const found = JSON.parse(await docker('exec', id, 'node', '-e', program)) as string[];
  if (user === '' || user === 'root') found.push('its image names no user');
  if (!readOnly) found.push('its root can be written');
  return found;
}
