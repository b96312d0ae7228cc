import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { extname } from 'node:path';
import { gzipSync } from 'node:zlib';

/** A file of the console, ready to serve. */
export interface PageFile {
  type: string;
  body: Buffer;
  gzipped: Buffer;
  etag: string;
}

const FOLDER = new URL('../../console/', import.meta.url);
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.ts': 'text/javascript; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};
/** Library modules by their path in the page's import map. */
const LIBRARIES: Record<string, string> = {
  'lib/uPlot.js': 'uplot/dist/uPlot.esm.js',
  'lib/uPlot.css': 'uplot/dist/uPlot.min.css',
};

/**
 * Reads every file of the console by its path below `/console/`.
 *
 * Node strips the types from TypeScript and keeps all lines in place, so there is no build step and no source map.
 */
export function readPageFiles(): Map<string, PageFile> {
  const files = new Map<string, PageFile>();
  for (const path of readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })) {
    if (TYPES[extname(path)] === undefined || path.endsWith('.d.ts')) continue;
    const text = readFileSync(new URL(path, FOLDER), 'utf8');
    files.set(path, pageFile(path, path.endsWith('.ts') ? withoutTypes(text) : text));
  }
  const { resolve } = createRequire(import.meta.url);
  for (const [path, source] of Object.entries(LIBRARIES)) {
    files.set(path, pageFile(path, readFileSync(resolve(source), 'utf8')));
  }
  return files;
}

/**
 * Content-Security-Policy: own sources only, no inline script but the import map.
 *
 * The policy names the import map by its hash.
 */
export function contentSecurityPolicy(page: string): string {
  const maps = [...page.matchAll(/<script type="importmap">([\s\S]*?)<\/script>/g)].map(
    ([, text]) => `'sha256-${createHash('sha256').update(text!).digest('base64')}'`,
  );
  return [
    "default-src 'none'",
    `script-src 'self' ${maps.join(' ')}`,
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ');
}

function pageFile(path: string, text: string): PageFile {
  const body = Buffer.from(text);
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return { type: TYPES[extname(path)]!, body, gzipped: gzipSync(body), etag };
}

/**
 * Strips types, without Node's warning that the function is experimental.
 *
 * The Node version is pinned, and a test loads the result, so the warning would only fill the log.
 */
function withoutTypes(text: string): string {
  const emit = Object.getOwnPropertyDescriptor(process, 'emitWarning')!;
  Object.defineProperty(process, 'emitWarning', { ...emit, value: () => undefined });
  try {
    return stripTypeScriptTypes(text);
  } finally {
    Object.defineProperty(process, 'emitWarning', emit);
  }
}
