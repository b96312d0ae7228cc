import { cart, CURRENCY, productOf } from '/catalogue.js';
import { tracker } from '/tracking.js';

const list = document.querySelector('#lines');
const button = document.querySelector('#order');

function show() {
  const products = cart.lines().map(productOf);
  const total = products.reduce((sum, { price }) => sum + price, 0);
  list.replaceChildren(
    ...products.map(({ id, name, price }) => {
      const remove = Object.assign(document.createElement('button'), { textContent: 'Remove' });
      remove.addEventListener('click', () => {
        cart.remove(id);
        tracker.productRemovedFromCart({ productId: id, quantity: 1, unitPrice: price, currency: CURRENCY });
        show();
      });
      const item = document.createElement('li');
      item.append(name, ' ', remove);
      return item;
    }),
  );
  document.querySelector('#total').textContent = `${total.toFixed(2)} ${CURRENCY}`;
  button.hidden = products.length === 0;
  return { products, total };
}

button.addEventListener('click', () => {
  const { products, total } = show();
  tracker.orderCreated({
    orderId: crypto.randomUUID(),
    currency: CURRENCY,
    total,
    lines: products.map(({ id, price }) => ({ productId: id, quantity: 1, unitPrice: price })),
  });
  cart.empty();
  show();
});
const { products, total } = show(); // with the button, which is there for clicks now
// A shop with several steps would do this in the first of them.
if (products.length > 0)
  tracker.checkoutStarted({
    currency: CURRENCY,
    total,
    lines: products.map(({ id, price }) => ({ productId: id, quantity: 1, unitPrice: price })),
  });
