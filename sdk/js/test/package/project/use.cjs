const { createTracker } = require('@spor/tracker');
const { gzip } = require('@spor/tracker/gzip');
const { send } = require('./send.cjs');

void send(createTracker, gzip);
