-- normal_phrase: A phrase as people mean it: Unicode NFC, lower case, blanks trimmed and collapsed.
CREATE MACRO normal_phrase(phrase) AS
  trim(regexp_replace(lower(nfc_normalize(phrase)), '\s+', ' ', 'g'));

-- wilson_low: Lower end of the 95 % Wilson score interval of a share; NULL without trials.
-- E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209–212.
CREATE MACRO wilson_low(successes, trials) AS
  CASE WHEN trials > 0 THEN greatest(0, (
    successes / trials + 3.841458820694124 / (2 * trials)
    - 1.959963984540054 * sqrt((successes / trials * (1 - successes / trials) + 3.841458820694124 / (4 * trials)) / trials)
  ) / (1 + 3.841458820694124 / trials)) END;

-- wilson_high: Upper end of the same interval.
CREATE MACRO wilson_high(successes, trials) AS
  CASE WHEN trials > 0 THEN least(1, (
    successes / trials + 3.841458820694124 / (2 * trials)
    + 1.959963984540054 * sqrt((successes / trials * (1 - successes / trials) + 3.841458820694124 / (4 * trials)) / trials)
  ) / (1 + 3.841458820694124 / trials)) END;
