import { CURRENCY, find } from '/catalogue.js';
import { impressions, searches, tracker } from '/tracking.js';

const results = document.querySelector('#results');

const form = document.querySelector('#search');
form.addEventListener('submit', (event) => {
  event.preventDefault();
  const phrase = event.target.elements.phrase.value;
  const found = find(phrase);

  // With resultIds, later clicks, cart adds and order lines of these products carry this search's id by themselves.
  const searchId = searches.shown({ phrase, resultsCount: found.length, resultIds: found.map(({ id }) => id) });

  results.replaceChildren(
    ...found.map(({ id, name, price }, index) => {
      const link = document.createElement('a');
      link.href = `/product.html?id=${id}`;
      link.textContent = `${name}, ${price} ${CURRENCY}`;
      // A middle click opens a tab, and fires auxclick instead; so does a right click, which opens nothing.
      for (const name of ['click', 'auxclick'])
        link.addEventListener(name, ({ button }) => {
          // No waiting for the answer: the event survives the page.
          if (button < 2) tracker.productClicked({ productId: id, position: index + 1, price, currency: CURRENCY });
        });
      const item = document.createElement('li');
      item.append(link);
      return item;
    }),
  );
  impressions.end(); // The results before are gone.
  const cards = [...results.children];
  impressions.watch(
    cards.map((element, index) => ({ element, productId: found[index].id, position: index + 1 })),
    { searchId },
  );
});
// A search before would be the browser's own: the page shows while this script is still loading.
form.querySelector('button').disabled = false;
