import { cart, CURRENCY, productOf } from '/catalogue.js';
import { tracker } from '/tracking.js';

const { id, name, price } = productOf(new URLSearchParams(location.search).get('id'));
document.querySelector('#name').textContent = name;
document.querySelector('#price').textContent = `${price} ${CURRENCY}`;
tracker.productViewed({ productId: id, price, currency: CURRENCY });
const button = document.querySelector('#add');
button.addEventListener('click', () => {
  cart.add(id);
  tracker.productAddedToCart({ productId: id, quantity: 1, unitPrice: price, currency: CURRENCY });
});
// A click before would be lost: the page shows while this script is still loading.
button.disabled = false;
