// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Collections.Generic;
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>An order is other than OrderCreated said, or has a new status. Fields that are given replace the order's, lines as a whole. The latest by timestamp counts. For server keys only.</summary>
public sealed class OrderCorrected : TrackingEvent
{
    /// <summary>Creates it with the fields every OrderCorrected has.</summary>
    /// <param name="orderId">The shop's order number.</param>
    public OrderCorrected(string orderId)
    {
        OrderId = orderId;
    }

    /// <inheritdoc/>
    public override string EventType => "OrderCorrected";

    /// <summary>The shop's order number.</summary>
    public string OrderId { get; set; }

    /// <summary>ISO 4217 code in capitals.</summary>
    public string? Currency { get; set; }

    /// <summary>What the customer pays: tax and shipping included, all discounts taken off. Sent with at most four decimals.</summary>
    public decimal? Total { get; set; }

    /// <summary>Tax within the total, whether the prices of the lines include it or not. Sent with at most four decimals.</summary>
    public decimal? Tax { get; set; }

    /// <summary>Shipping within the total. Do not send it as a line too. Sent with at most four decimals.</summary>
    public decimal? Shipping { get; set; }

    /// <summary>Discount on the whole order, as a positive amount. Discounts of lines belong on the lines. If it repeats them, the total tells so, and they count once. Sent with at most four decimals.</summary>
    public decimal? Discount { get; set; }

    /// <summary>Coupon codes used.</summary>
    public IReadOnlyList<string>? CouponCodes { get; set; }

    /// <summary>Whether prices and discounts of the lines include tax. Prices with and without tax are never added.</summary>
    public bool? PricesIncludeTax { get; set; }

    /// <summary>Status in the shop's own words, such as paid, pending or cancelled. Pending and cancelled orders are no revenue.</summary>
    public string? Status { get; set; }

    /// <summary>True: a test order, which no report counts.</summary>
    public bool? Test { get; set; }

    /// <summary>Lines of the order, or of the cart.</summary>
    public IReadOnlyList<OrderLine>? Lines { get; set; }

    internal override void WriteFields(Utf8JsonWriter writer)
    {
        if (OrderId is { } orderId)
        {
            writer.WriteString("orderId"u8, orderId);
        }

        if (Currency is { } currency)
        {
            writer.WriteString("currency"u8, currency);
        }

        if (Total is { } total)
        {
            writer.WriteNumber("total"u8, FourDecimals.Rounded(total));
        }

        if (Tax is { } tax)
        {
            writer.WriteNumber("tax"u8, FourDecimals.Rounded(tax));
        }

        if (Shipping is { } shipping)
        {
            writer.WriteNumber("shipping"u8, FourDecimals.Rounded(shipping));
        }

        if (Discount is { } discount)
        {
            writer.WriteNumber("discount"u8, FourDecimals.Rounded(discount));
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

        if (Status is { } status)
        {
            writer.WriteString("status"u8, status);
        }

        if (Test is { } test)
        {
            writer.WriteBoolean("test"u8, test);
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
