-- newcombe_low: Lower end of the 95 % interval of a share less another: successes / trials - base_successes / base_trials.
-- NULL without trials. R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics
-- in Medicine 17 (1998), 873–890, method 10: two Wilson intervals, their distances squared and added.
CREATE MACRO newcombe_low(successes, trials, base_successes, base_trials) AS
  successes / nullif(trials, 0) - base_successes / nullif(base_trials, 0) - sqrt(
    pow(successes / nullif(trials, 0) - wilson_low(successes, trials), 2)
    + pow(wilson_high(base_successes, base_trials) - base_successes / nullif(base_trials, 0), 2));

-- newcombe_high: Upper end of the same interval.
CREATE MACRO newcombe_high(successes, trials, base_successes, base_trials) AS
  successes / nullif(trials, 0) - base_successes / nullif(base_trials, 0) + sqrt(
    pow(wilson_high(successes, trials) - successes / nullif(trials, 0), 2)
    + pow(base_successes / nullif(base_trials, 0) - wilson_low(base_successes, base_trials), 2));

-- ratio_variance: Variance of a ratio of two sums over visitors, of which each has a numerator and a denominator.
-- squares is the sum of (numerator - ratio * denominator)². The visitors are independent, and what each does is not.
-- A. Deng, U. Knoblich, J. Lu, "Applying the delta method in metric analytics", KDD 2018, equation 4.
-- With a denominator of 1 it is the variance of a mean.
CREATE MACRO ratio_variance(squares, denominators, visitors) AS
  CASE WHEN visitors > 1 AND denominators > 0
    THEN squares::DOUBLE * visitors / (visitors - 1) / pow(denominators::DOUBLE, 2) END;

-- welch_degrees: Degrees of freedom of a difference of two means, from the variance of each mean and its visitors.
-- B. L. Welch, "The generalization of 'Student's' problem", Biometrika 34 (1947), 28–35; F. E. Satterthwaite, 1946.
CREATE MACRO welch_degrees(variance, visitors, base_variance, base_visitors) AS
  pow(variance + base_variance, 2)
    / nullif(pow(variance, 2) / nullif(visitors - 1, 0) + pow(base_variance, 2) / nullif(base_visitors - 1, 0), 0);

-- student_t: The 97.5 % quantile of Student's t distribution; within 0.0001 from 9 degrees of freedom.
-- M. Abramowitz, I. A. Stegun, "Handbook of mathematical functions", 1964, 26.7.5.
CREATE MACRO student_t(degrees) AS
  1.959963984540054 + (2.37227123030 + (2.82249861574 + (2.55584967951 + 1.58953405339 / degrees) / degrees) / degrees) / degrees;

-- welch_margin: Half the width of the 95 % interval of a difference of two means, of their variances and visitors.
-- NULL under 10 visitors on either side, where it would promise too much, and without any variance.
CREATE MACRO welch_margin(variance, visitors, base_variance, base_visitors) AS
  CASE WHEN least(visitors, base_visitors) >= 10 AND variance + base_variance > 0
    THEN student_t(welch_degrees(variance, visitors, base_variance, base_visitors)) * sqrt(variance + base_variance) END;

-- smallest_effect: The difference that a two-sided test at 5 % finds four times of five, of the variance of the difference.
-- J. Cohen, "Statistical power analysis for the behavioral sciences", 2nd edition 1988: (1.96 + 0.84) standard errors.
CREATE MACRO smallest_effect(variance) AS 2.8015852181129683 * sqrt(nullif(variance, 0));

-- chi_square_p: The chance of a chi-square statistic this large or larger, up to an error of 1e-10.
-- M. Abramowitz, I. A. Stegun, "Handbook of mathematical functions", 1964, 6.5.29: 1 - P(degrees / 2, statistic / 2).
CREATE MACRO chi_square_p(statistic, degrees) AS
  CASE WHEN degrees < 1 THEN NULL WHEN statistic <= 0 THEN 1.0 WHEN statistic > 600 THEN 0.0
    ELSE least(1, greatest(0, 1 - list_sum(list_transform(range(0, (60 + statistic)::BIGINT), lambda term: exp(
      (degrees / 2 + term) * ln(statistic / 2) - statistic / 2 - lgamma(degrees / 2 + term + 1)))))) END;
