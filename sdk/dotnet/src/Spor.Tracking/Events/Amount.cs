namespace Spor.Tracking;

/// <summary>Amounts of money and quantities as the lake keeps them: DECIMAL(18,4).</summary>
internal static class Amount
{
    /// <summary>
    /// The amount with at most four decimals, halves to even. A price that was divided carries up to 28 decimals, for which the
    /// receiver would refuse the whole order.
    /// </summary>
    public static decimal Rounded(decimal amount) => decimal.Round(amount, 4);
}
