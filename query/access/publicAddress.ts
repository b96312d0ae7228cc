/** Whether an address is of this machine, where plain HTTP is safe. */
export function isLocalAddress({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** What is wrong with an address that people or their browsers open; undefined: nothing. */
export function addressFault(text: string): string | undefined {
  if (!URL.canParse(text)) return 'is not an address such as https://spor.example';
  const url = new URL(text);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLocalAddress(url))) return undefined;
  return 'must begin with https://, because sign-in needs TLS';
}
