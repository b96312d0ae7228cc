import spor = require('@spor/tracker');
import extra = require('@spor/tracker/gzip');

const tracker = spor.createTracker({ endpoint: '', instrumentationKey: '', compress: extra.gzip() });
tracker.productClicked({ productId: 'SKU-1' });
