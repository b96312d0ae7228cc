import { expect, test } from 'vitest';
import { asOrigin } from '../../schemas/keys.ts';

test('an origin is accepted if a browser may send it, in the form that browsers send', () => {
  const accepted: Record<string, string> = {
    'https://shop.example': 'https://shop.example',
    'https://Shop.Example/': 'https://shop.example',
    'http://localhost:3000': 'http://localhost:3000',
    'https://xn--rdgrd-vua.example': 'https://xn--rdgrd-vua.example',
    'http://127.0.0.1:8080': 'http://127.0.0.1:8080',
    'http://[::1]:8080': 'http://[::1]:8080',
    'https://my_shop.example': 'https://my_shop.example',
  };
  for (const [text, origin] of Object.entries(accepted)) expect(asOrigin(text), text).toBe(origin);
  const never = ['https://*.a', 'https://*', '*', 'https://a,b', 'https://shop.example/a', 'https://shop.example:443'];
  never.push(
    'ftp://shop.example',
    'ws://shop.example',
    'file:///a',
    'null',
    '',
    'https://a;b',
    "https://a'b",
    'https://~a',
  );
  for (const text of never) expect(asOrigin(text), text).toBeUndefined();
});
