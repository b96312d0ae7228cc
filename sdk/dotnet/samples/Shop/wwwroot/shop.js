// The browser's part: the JavaScript SDK tracks searches and clicks, and keeps its ids in cookies, which travel to the backend
// by themselves. There are none until the visitor has agreed, so that the backend tracks nothing before that either.
import { cookies } from './cookies.js';

const { endpoint, instrumentationKey } = await (await fetch('/api/settings')).json();
const tracker = window.spor.createTracker({ endpoint, instrumentationKey, cookie: cookies(), waitForConsent: true });

const said = document.querySelector('#said');
const say = (text) => (said.textContent = text);

document.querySelector('#agree').onclick = () => tracker.setConsent({ analytics: true });
document.querySelector('#decline').onclick = () => tracker.setConsent({ analytics: false });

async function call(path, { method = 'GET', body, searchId } = {}) {
  const headers = { 'Content-Type': 'application/json' };
  if (searchId) headers['X-Spor-Search-Id'] = searchId;
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  return response.json();
}

document.querySelector('#search').onsubmit = async (event) => {
  event.preventDefault();
  const phrase = new FormData(event.target).get('q');
  // Any id will do for the backend's answer; the tracker makes the one that counts.
  const { products } = await call(`/api/search?q=${encodeURIComponent(phrase)}`, { searchId: 'tracked-by-the-page' });
  const searchId = tracker.search({ phrase, resultsCount: products.length, resultIds: products.map(({ id }) => id) });
  document
    .querySelector('#products')
    .replaceChildren(...products.map((product, index) => row(product, index, searchId)));
};

function row(product, index, searchId) {
  const item = document.createElement('li');
  const add = document.createElement('button');
  add.textContent = 'Add to cart';
  add.onclick = async () => {
    tracker.productClicked({ productId: product.id, position: index + 1, searchId });
    const { lines } = await call('/api/cart', {
      method: 'POST',
      body: { productId: product.id, quantity: 1 },
      searchId,
    });
    say(`${lines} in the cart`);
  };
  item.append(`${product.name}, ${product.price} DKK `, add);
  return item;
}

document.querySelector('#checkout').onclick = async () => {
  const { orderId, total } = await call('/api/checkout', { method: 'POST', body: {} });
  say(`Order ${orderId}: ${total} DKK`);
};
