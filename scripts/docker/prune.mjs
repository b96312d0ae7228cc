// Removes from node_modules what no service reads in an image of this platform. Usage: node prune.mjs <node_modules>
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const [folder] = process.argv.slice(2);

/** Binaries of other systems, processors and versions of Node. */
const binaries = join(folder, 'uWebSockets.js', 'dist', 'bin');
const own = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
if (!readdirSync(binaries).includes(own)) throw new Error(`${binaries} has no ${own}`);
for (const name of readdirSync(binaries)) if (name !== own) rmSync(join(binaries, name));

/** Types, maps and pages for readers. */
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
  if (entry.isFile() && /\.(d\.[cm]?ts|map|md|markdown)$/i.test(entry.name)) rmSync(join(entry.parentPath, entry.name));

/** The launcher of the Node that npm would install. The image has its own. */
rmSync(join(folder, 'node'), { recursive: true, force: true });
