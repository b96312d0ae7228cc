// What a shop needs on every page: one tracker, and a place for the visitor's choice.
import { createTracker } from '/index.js';
import { createImpressions } from '/impressions.js';
import { createSearches } from '/searches.js';
import { endpoint, instrumentationKey } from '/config.js';

export const tracker = createTracker({
  endpoint,
  instrumentationKey,
  waitForConsent: true,
  context: { channel: 'demo' },
});

/** Makes a search that is shown again the same search. */
export const searches = createSearches(tracker);

/** Tells which results were really seen. */
export const impressions = createImpressions(tracker);

// The rest shows on the page what the tracker does. A shop would keep the choice in its consent tool.
const footer = document.querySelector('#tracking');
const say = (text) => {
  const line = document.createElement('p');
  line.textContent = text;
  footer.append(line);
};
tracker.on('sent', ({ receiptId, eventIds }) => say(`sent ${eventIds.length}, receipt ${receiptId}`));
tracker.on('drop', ({ reason, code, event }) => say(`dropped ${event.type}: ${reason} ${code ?? ''}`));
tracker.on('error', ({ code, message }) => say(`error ${code}: ${message}`));

const choose = (analytics) => {
  sessionStorage.setItem('consent', JSON.stringify({ analytics }));
  tracker.setConsent({ analytics });
};
const chosen = sessionStorage.getItem('consent');
if (chosen) tracker.setConsent(JSON.parse(chosen));
else {
  const bar = document.createElement('p');
  bar.textContent = 'May we count your visit? Until you answer, events wait in memory. ';
  for (const [label, analytics] of [
    ['Yes', true],
    ['No', false],
  ]) {
    const button = document.createElement('button');
    button.textContent = label;
    button.addEventListener('click', () => {
      choose(analytics);
      bar.remove();
    });
    bar.append(button, ' ');
  }
  footer.append(bar);
}
