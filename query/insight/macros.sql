-- normal_phrase: A phrase as people mean it: Unicode NFC, lower case, blanks trimmed and collapsed. Every blank of Unicode
-- is a blank, every dash a hyphen, and every typographic apostrophe or quote a plain one.
CREATE MACRO normal_phrase(phrase) AS
  trim(regexp_replace(regexp_replace(
    translate(lower(nfc_normalize(phrase)), '‘’‚‛ʼ´`′＇“”„‟″＂', '''''''''''''''''''""""""'),
    '[\p{Pd}\x{2212}]', '-', 'g'), '[\s\p{Z}\x{AD}\x{200B}\x{2060}\x{FEFF}]+', ' ', 'g'));

-- wilson_low: Lower end of the 95 % Wilson score interval of a share; NULL without trials, or if successes is NULL.
-- E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209–212.
CREATE MACRO wilson_low(successes, trials) AS
  CASE WHEN trials > 0 AND successes >= 0 THEN greatest(0, (
    successes / trials + 3.841458820694124 / (2 * trials)
    - 1.959963984540054 * sqrt((successes / trials * (1 - successes / trials) + 3.841458820694124 / (4 * trials)) / trials)
  ) / (1 + 3.841458820694124 / trials)) END;

-- wilson_high: Upper end of the same interval.
CREATE MACRO wilson_high(successes, trials) AS
  CASE WHEN trials > 0 AND successes >= 0 THEN least(1, (
    successes / trials + 3.841458820694124 / (2 * trials)
    + 1.959963984540054 * sqrt((successes / trials * (1 - successes / trials) + 3.841458820694124 / (4 * trials)) / trials)
  ) / (1 + 3.841458820694124 / trials)) END;

-- order_state: What an order's status means: live, pending or cancelled. No status and unknown words are live.
-- Letters and digits of the status are compared in lower case, so that wc-on-hold, On Hold and on_hold are one.
CREATE MACRO order_state(status) AS
  CASE
    WHEN regexp_replace(lower(status), '^wc-|[^\p{L}0-9]+', '', 'g') IN (
      'cancelled', 'canceled', 'cancel', 'canceledbyuser', 'cancelledbyuser', 'void', 'voided', 'refunded', 'fullyrefunded',
      'failed', 'failure', 'declined', 'denied', 'rejected', 'refused', 'expired', 'abandoned', 'trash', 'trashed', 'deleted',
      'reversed', 'chargeback', 'chargedback', 'paymentfailed', 'paymentdeclined', 'paymentexpired', 'annulleret',
      'annullerad', 'kansellert', 'peruttu', 'storniert', 'annulé', 'annulée', 'annullato', 'cancelado', 'cancelada',
      'geannuleerd', 'anulowane', 'anulowany'
    ) THEN 'cancelled'
    WHEN regexp_replace(lower(status), '^wc-|[^\p{L}0-9]+', '', 'g') IN (
      'pending', 'pendingpayment', 'paymentpending', 'awaitingpayment', 'waitingforpayment', 'unpaid', 'notpaid', 'onhold',
      'hold', 'holded', 'held', 'draft', 'checkoutdraft', 'autodraft', 'incomplete', 'paymentreview', 'pendingreview', 'fraud',
      'suspectedfraud', 'afventer', 'ausstehend', 'enattente', 'pendiente', 'pendente'
    ) THEN 'pending'
    ELSE 'live'
  END;

-- is_goods: Whether an order line is goods; shipping, fees, tips, taxes, discounts and donations are not.
CREATE MACRO is_goods(kind) AS
  coalesce(lower(kind) NOT IN ('shipping', 'fee', 'tip', 'tax', 'discount', 'donation'), true);

-- line_amount: What an order line costs: quantity * unit_price - discount, rounded to four decimals.
CREATE MACRO line_amount(line) AS
  CAST(CAST(line['quantity'] AS DECIMAL(38, 4)) * line['unit_price'] AS DECIMAL(38, 4)) - coalesce(line['discount'], 0);

-- line_share: The amount of a quantity of an order line; of all of it for NULL or more.
CREATE MACRO line_share(line, part) AS
  CASE WHEN part < line['quantity']
    THEN round(line_amount(line)::DOUBLE * part::DOUBLE / line['quantity']::DOUBLE, 4)::DECIMAL(38, 4)
    ELSE line_amount(line) END;

-- is_line: Whether an order line is the one that a refund or cancellation names, by product, else by name, else by kind.
CREATE MACRO is_line(line, returned) AS
  CASE
    WHEN returned['product_id'] IS NOT NULL
      THEN line['product_id'] = returned['product_id'] AND (line['variant_id'] = returned['variant_id']) IS NOT FALSE
    WHEN returned['name'] IS NOT NULL THEN line['product_id'] IS NULL AND line['name'] = returned['name']
    ELSE line['product_id'] IS NULL AND line['kind'] = returned['kind']
  END;

-- discount_gap: How far an order's total is from the sum of its parts, with or without tax on top.
CREATE MACRO discount_gap(total, goods, tax, shipping, prices_include_tax) AS
  CASE
    WHEN prices_include_tax THEN abs(total - goods - coalesce(shipping, 0))
    WHEN NOT prices_include_tax THEN abs(total - goods - coalesce(shipping, 0) - coalesce(tax, 0))
    ELSE least(abs(total - goods - coalesce(shipping, 0)), abs(total - goods - coalesce(shipping, 0) - coalesce(tax, 0)))
  END;

-- local_day: The date of a moment in a zone, as a report's $zone gives it: offsets, and the moments between them.
-- The offsets come from the caller, because DuckDB's own time zone database may be another version.
CREATE MACRO local_day(moment, zone) AS
  make_timestamp(epoch_us(moment) + (zone::STRUCT(offsets BIGINT[], changes BIGINT[])).offsets[
    1 + len(list_filter((zone::STRUCT(offsets BIGINT[], changes BIGINT[])).changes, lambda since: epoch_us(moment) >= since))
  ])::DATE;
