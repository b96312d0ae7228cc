// Stands for the shop's own backend.
export const CURRENCY = 'DKK';

const PRODUCTS = [
  { id: 'SKU-1', name: 'Trail running shoes', price: 899.95 },
  { id: 'SKU-2', name: 'Road running shoes', price: 749.5 },
  { id: 'SKU-3', name: 'Winter boots', price: 1299 },
  { id: 'SKU-4', name: 'Rain jacket', price: 599.9 },
  { id: 'SKU-5', name: 'Wool socks', price: 79.95 },
  { id: 'SKU-6', name: 'Shoe laces', price: 24.5 },
];

export const productOf = (id) => PRODUCTS.find((product) => product.id === id) ?? PRODUCTS[0];

export const find = (phrase) => {
  const wanted = phrase.trim().toLowerCase().replace(/s$/, '');
  return PRODUCTS.filter(({ name }) => name.toLowerCase().includes(wanted));
};

export const cart = {
  lines: () => JSON.parse(sessionStorage.getItem('cart') ?? '[]'),
  add: (productId) => sessionStorage.setItem('cart', JSON.stringify([...cart.lines(), productId])),
  remove: (productId) => {
    const lines = cart.lines();
    lines.splice(lines.indexOf(productId), 1);
    sessionStorage.setItem('cart', JSON.stringify(lines));
  },
  empty: () => sessionStorage.removeItem('cart'),
};
