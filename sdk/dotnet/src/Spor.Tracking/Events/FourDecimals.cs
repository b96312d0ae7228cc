using System;

namespace Spor.Tracking;

/// <summary>Amounts of money and quantities as the lake keeps them: DECIMAL(18,4).</summary>
internal static class FourDecimals
{
    /// <summary>
    /// The amount with at most four decimals, halves away from zero. A price that was divided carries up to 28 decimals. The
    /// receiver would round them in the same way.
    /// </summary>
    public static decimal Rounded(decimal amount) => decimal.Round(amount, 4, MidpointRounding.AwayFromZero);
}
