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
    'https://rødgrød.example': 'https://xn--rdgrd-vuad.example',
    'https://Ræv.example:8443/': 'https://xn--rv-1ia.example:8443',
    'https://お店.example': 'https://xn--t8jz70l.example',
    'capacitor://localhost': 'capacitor://localhost',
    'ionic://localhost:8100': 'ionic://localhost:8100',
    'tauri://localhost/': 'tauri://localhost',
    'chrome-extension://abcdefghijklmnopabcdefghijklmnop': 'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
    'app://-': 'app://-',
    'file://': 'file://',
    null: 'null',
  };
  for (const [text, origin] of Object.entries(accepted)) expect(asOrigin(text), text).toBe(origin);
  const never = ['https://*.a', 'https://*', '*', 'https://a,b', 'https://shop.example/a', 'https://shop.example:443'];
  never.push(
    'ftp://shop.example',
    'ws://shop.example',
    'file:///a',
    'app://a/b',
    'app://*',
    'app:a',
    'capacitor://a@b',
    'javascript:alert(1)',
    'https://a@b',
    'https://a\\b',
    ' https://a',
    '',
    'https://a;b',
    "https://a'b",
    'https://~a',
  );
  for (const text of never) expect(asOrigin(text), text).toBeUndefined();
});
