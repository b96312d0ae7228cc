/** The path of an address without repeated and closing slashes, which proxies and configurations add. */
export function plainPath(url: string): string {
  if (!url.includes('//') && (!url.endsWith('/') || url === '/')) return url;
  const path = url.replaceAll(/\/{2,}/g, '/');
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
