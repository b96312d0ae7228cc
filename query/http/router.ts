import type { Route } from './route.ts';

/** A matched route with the parameters of the path. */
export interface Match {
  route: Route;
  params: Record<string, string>;
}

/** Routes of a path by method; empty if no route has this path. */
export type Matches = ReadonlyMap<string, Match>;

export interface Router {
  match(path: string): Matches;
}

interface Compiled {
  route: Route;
  segments: readonly string[];
  /** Sort key: literal segments come before parameters, and those before rests. */
  rank: string;
}

/**
 * Finds routes by path.
 * @throws Error when two routes have the same method and path, or a rest is not the last segment.
 */
export function createRouter(routes: readonly Route[]): Router {
  const compiled = routes.map(compile).sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const seen = new Set<string>();
  for (const { route } of compiled) {
    const key = `${route.method} ${route.path.replaceAll(/:[^/*]+/g, ':')}`;
    if (seen.has(key)) throw new Error(`two routes answer ${key}`);
    seen.add(key);
  }
  return {
    match: (path) => {
      const given = path.split('/').slice(1);
      const matches = new Map<string, Match>();
      for (const { route, segments } of compiled) {
        const params = paramsOf(segments, given);
        if (params && !matches.has(route.method)) matches.set(route.method, { route, params });
      }
      return matches;
    },
  };
}

function compile(route: Route): Compiled {
  const segments = route.path.split('/').slice(1);
  if (segments.slice(0, -1).some((segment) => segment.endsWith('*')))
    throw new Error(`${route.path}: a rest can only be the last segment`);
  const rank = segments.map((segment) => (segment.startsWith(':') ? (segment.endsWith('*') ? 2 : 1) : 0)).join('');
  return { route, segments, rank };
}

/** Parameters of a path, or undefined if it does not match. Text that cannot be decoded never matches. */
function paramsOf(segments: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  const rest = segments.at(-1)?.endsWith('*') === true;
  if (rest ? given.length < segments.length - 1 : given.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    if (!segment.startsWith(':')) {
      if (segment !== given[index]) return undefined;
      continue;
    }
    const isRest = segment.endsWith('*');
    const text = decoded(isRest ? given.slice(index).join('/') : given[index]!);
    if (text === undefined || (text === '' && !isRest)) return undefined;
    params[segment.replaceAll(/^:|\*$/g, '')] = text;
  }
  return params;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
