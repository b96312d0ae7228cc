// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Collections.Generic;
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>A visitor began to check out.</summary>
public sealed class CheckoutStarted : TrackingEvent
{
    /// <summary>Creates it.</summary>
    public CheckoutStarted()
    {
    }

    /// <inheritdoc/>
    public override string EventType => "CheckoutStarted";

    /// <summary>ISO 4217 code in capitals.</summary>
    public string? Currency { get; set; }

    /// <summary>What the customer pays: tax and shipping included, all discounts taken off. Sent with at most four decimals.</summary>
    public decimal? Total { get; set; }

    /// <summary>Coupon codes used.</summary>
    public IReadOnlyList<string>? CouponCodes { get; set; }

    /// <summary>Whether prices and discounts of the lines include tax. Prices with and without tax are never added.</summary>
    public bool? PricesIncludeTax { get; set; }

    /// <summary>Lines of the order, or of the cart.</summary>
    public IReadOnlyList<OrderLine>? Lines { get; set; }

    internal override void WriteFields(Utf8JsonWriter writer)
    {
        if (Currency is { } currency)
        {
            writer.WriteString("currency"u8, currency);
        }

        if (Total is { } total)
        {
            writer.WriteNumber("total"u8, FourDecimals.Rounded(total));
        }

        if (CouponCodes is { } couponCodes)
        {
            writer.WriteStartArray("couponCodes"u8);
            foreach (var item in couponCodes)
            {
                writer.WriteStringValue(item);
            }

            writer.WriteEndArray();
        }

        if (PricesIncludeTax is { } pricesIncludeTax)
        {
            writer.WriteBoolean("pricesIncludeTax"u8, pricesIncludeTax);
        }

        if (Lines is { } lines)
        {
            writer.WriteStartArray("lines"u8);
            foreach (var item in lines)
            {
                item.Write(writer);
            }

            writer.WriteEndArray();
        }
    }
}
