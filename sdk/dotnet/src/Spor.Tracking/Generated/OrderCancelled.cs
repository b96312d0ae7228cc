// Written by tools/generate-models.ts from schemas/. Do not edit.
using System.Collections.Generic;
using System.Text.Json;

namespace Spor.Tracking;

/// <summary>An order was cancelled before it was delivered: the whole order, or only the given lines. A whole order is then no revenue. For server keys only.</summary>
public sealed class OrderCancelled : TrackingEvent
{
    /// <summary>Creates it with the fields every OrderCancelled has.</summary>
    /// <param name="orderId">The shop's order number.</param>
    public OrderCancelled(string orderId)
    {
        OrderId = orderId;
    }

    /// <inheritdoc/>
    public override string EventType => "OrderCancelled";

    /// <summary>The shop's order number.</summary>
    public string OrderId { get; set; }

    /// <summary>ISO 4217 code in capitals.</summary>
    public string? Currency { get; set; }

    /// <summary>What the customer no longer pays for the lines, tax included. Absent: the sum of the lines. Sent with at most four decimals.</summary>
    public decimal? Amount { get; set; }

    /// <summary>Why, in the shop's own words.</summary>
    public string? Reason { get; set; }

    /// <summary>The cancelled lines; absent: the whole order.</summary>
    public IReadOnlyList<ReturnedLine>? Lines { get; set; }

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

        if (Amount is { } amount)
        {
            writer.WriteNumber("amount"u8, FourDecimals.Rounded(amount));
        }

        if (Reason is { } reason)
        {
            writer.WriteString("reason"u8, reason);
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
