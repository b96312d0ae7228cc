-- normal_phrase: A phrase as people mean it: Unicode NFC, lower case, blanks trimmed and collapsed. Every blank of Unicode
-- is a blank, every dash a hyphen, and every typographic apostrophe or quote a plain one.
CREATE MACRO normal_phrase(phrase) AS
  trim(regexp_replace(regexp_replace(
    translate(lower(nfc_normalize(phrase)), '‘’‚‛ʼ´`′＇“”„‟″＂', '''''''''''''''''''""""""'),
    '[\p{Pd}\x{2212}]', '-', 'g'), '[\s\p{Z}\x{AD}\x{200B}\x{2060}\x{FEFF}]+', ' ', 'g'));

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
